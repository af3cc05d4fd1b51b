// Package report says what happens and why: lines on stderr, hints, the live line of a terminal, and the kubelet's
// termination log. It alone knows zerolog. It gets options, and reads neither settings nor environment.
//
// Less than 20 lines come in a minute, whatever the endpoints do. What comes from outside is printed so that it can
// neither forge a line nor drive a terminal, and without passwords. A stderr that is closed, full, or read by nobody
// costs 0.1 s at most.
package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/envoy-wait/envoy-wait/probe"
)

const (
	heartbeatInterval = 10 * time.Second
	maxChanges        = 10 // lines about changes of state in a minute
)

// Options say what to report, and how. The zero value is right for an error of configuration.
type Options struct {
	Format string // auto (or ""), json or text
	Level  string // debug (or ""), info, warn or error

	URLs     []string      // the endpoints, each one once
	Timeout  time.Duration // of the wait; 0 or less is none
	Command  string        // the name of the command, or ""
	Job      bool          // the command is a Job's: the sidecar is told to quit after it
	Once     bool          // one attempt, no wait
	Disabled bool          // no wait

	OnTerminal     func() // if set, called first of all by the goroutine that writes to a terminal
	LiveLine       bool   // where stderr is a terminal, and what is logged is text
	TerminationLog bool   // leave the reason of a failure for the kubelet
}

// Reporter says what happens. Its methods may be called from several goroutines.
type Reporter struct {
	options Options
	out     *writer
	log     zerolog.Logger
	level   zerolog.Level
	text    bool // not JSON
	live    bool // there may be a live line

	mu      sync.Mutex      // guards what follows
	start   time.Time       // of the wait, zero where there is none
	over    bool            // the wait has ended
	last    []probe.Attempt // at each URL, in their order
	changes []time.Time     // of the last lines about changes of state
}

// New returns a Reporter that writes to stderr.
func New(stderr io.Writer, options Options) *Reporter {
	r := &Reporter{options: options, out: newWriter(stderr, options.OnTerminal)}
	r.level = zerolog.Level(slices.Index(levels, options.Level))
	r.text = options.Format == "text" || options.Format != "json" && r.out.isTerminal()
	r.live = r.text && options.LiveLine && !options.Once && r.level <= zerolog.InfoLevel && r.out.isTerminal()
	r.log = newLogger(r.out)
	if !options.Once { // see timedOut
		r.log = r.log.With().Timestamp().Logger()
	}
	for _, url := range options.URLs {
		r.last = append(r.last, probe.Attempt{URL: url})
	}
	return r
}

// Warn says what was ignored.
func (r *Reporter) Warn(warning string) { r.say(zerolog.WarnLevel, warning) }

// Begin sets the time that all others count from. Call it before the first Attempt.
func (r *Reporter) Begin(start time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.start = start
	time.AfterFunc(heartbeatInterval, r.heartbeat)
	if r.live {
		time.AfterFunc(redrawInterval, r.redraw)
	}
}

// Attempt is the hook of probe.Wait: it says when something changes. At the level debug it tells each attempt.
func (r *Reporter) Attempt(a probe.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.options.URLs, a.URL)
	before := r.last[i]
	r.last[i] = a
	if r.over {
		return
	}
	r.say(zerolog.DebugLevel, fmt.Sprintf("attempt %d: %s", a.Number, causes(a)), r.about(a))
	pending := r.pending()
	if len(pending) == 0 || r.options.Once {
		return // the last line says it
	}

	first := before.Number == 0
	switch {
	case first && a.Outcome == probe.Ready: // nothing was ever wrong with it
	case !first && before.Outcome == a.Outcome && before.Cause() == a.Cause(): // no change
	case !r.mayReportChange(): // the heartbeats tell the rest
	case a.Outcome == probe.Ready:
		r.waiting(fmt.Sprintf("%s is ready, waiting for %s", probe.Redact(a.URL), causes(pending...)), a)
	case first:
		r.waiting("waiting for "+causes(a), a)
	default:
		r.waiting(fmt.Sprintf("%s, was %s", causes(a), before.Cause()), a)
	}
}

func (r *Reporter) mayReportChange() bool {
	r.changes = slices.DeleteFunc(r.changes, func(t time.Time) bool { return time.Since(t) >= time.Minute })
	if len(r.changes) == maxChanges {
		return false
	}
	r.changes = append(r.changes, time.Now())
	return true
}

// heartbeat says that the wait goes on, and for what. It is silent where the last line is about to come.
func (r *Reporter) heartbeat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	pending := r.pending()
	remaining, ends := r.remaining()
	if r.over || r.options.Once || len(pending) == 0 || ends && remaining < time.Second {
		return
	}
	r.waiting(fmt.Sprintf("still waiting after %v: %s", r.elapsed().Round(time.Second), causes(pending...)), pending...)
	time.AfterFunc(heartbeatInterval, r.heartbeat)
}

// waiting writes a line in the middle of the wait.
func (r *Reporter) waiting(message string, about ...probe.Attempt) {
	r.say(zerolog.InfoLevel, message, r.about(about...), func(event *zerolog.Event) {
		if remaining, ends := r.remaining(); ends {
			event.Dur("remaining", remaining)
		}
	})
}

// Ready says that the wait has ended well, or that there was none, and which command starts now. It returns when the
// line is out, as StartingAnyway and Failed do.
func (r *Reporter) Ready() {
	r.end(func() {
		message, about := fmt.Sprintf("ready after %v", r.elapsed()), r.last
		if r.options.Disabled {
			message, about = "disabled, no wait", nil
		} else if r.options.Once {
			message = "ready"
		}
		r.say(zerolog.InfoLevel, message+r.command(", starting %q"), r.about(about...))
	})
}

// StartingAnyway says that the wait has timed out, and that the command starts all the same.
func (r *Reporter) StartingAnyway(timeout *probe.TimeoutError) {
	r.end(func() {
		r.say(zerolog.WarnLevel, r.timedOut(timeout, r.command(", starting %q anyway")), r.about(timeout.Pending...))
	})
}

// Failed says why envoy-wait ends with status, on stderr and to the kubelet. A status above 128 is a signal's, 128+n.
func (r *Reporter) Failed(err error, status int) {
	r.end(func() {
		level, message, about := zerolog.ErrorLevel, err.Error(), []probe.Attempt(nil)
		if timeout, ok := errors.AsType[*probe.TimeoutError](err); ok {
			message, about = r.timedOut(timeout, ""), timeout.Pending
		} else if status > 128 {
			level = zerolog.WarnLevel
			if !r.start.IsZero() {
				message, about = fmt.Sprintf("%s after %v", message, r.elapsed()), r.pending()
			}
			message += r.command(", %q not started")
		}
		r.say(level, message, r.about(about...), exitStatus(status))
		if r.options.TerminationLog {
			writeTerminationLog(printable(message))
		}
	})
}

// end writes the last line of a wait.
func (r *Reporter) end(line func()) {
	defer r.out.flush() // without the lock
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.out.draw("")
	line()
}

// Quit is the hook of probe.Quit: it says whether the sidecar was told to quit.
func (r *Reporter) Quit(a probe.Attempt) {
	level, message := zerolog.InfoLevel, "told to quit: "+causes(a)
	if a.Outcome != probe.Ready {
		level, message = zerolog.WarnLevel, "not "+message+quitHints.all(r.options.Job, a)
	} else if a.Status == 0 {
		message = "told to quit: " + probe.Redact(a.URL) + ": gone before it answered"
	}
	r.say(level, message, func(event *zerolog.Event) {
		endpoint(event.Dur("elapsed", a.Elapsed.Round(time.Millisecond)).Int("attempts", a.Number), a)
	})
	r.out.flush()
}

// NotQuit says that the sidecar is not told to quit, since the command has failed.
func (r *Reporter) NotQuit(status int) {
	r.say(zerolog.InfoLevel, fmt.Sprintf("exit status %d: the sidecar is not told to quit (--quit-on success)", status), exitStatus(status))
	r.out.flush()
}

// command returns format with the name of the command, or "" where there is none.
func (r *Reporter) command(format string) string {
	if r.options.Command == "" {
		return ""
	}
	return fmt.Sprintf(format, r.options.Command)
}

// timedOut is the message for a timeout. Then is what happens next, or "".
func (r *Reporter) timedOut(timeout *probe.TimeoutError, then string) string {
	what, hints := "not ready", waitHints.all(r.options.Job, timeout.Pending...)
	if timeout.Absent {
		what, hints = "no sidecar", ""
	}
	if !timeout.Once { // what a probe says becomes an event, and the kubelet counts equal ones
		what += fmt.Sprintf(" after %v", timeout.Elapsed.Round(time.Millisecond))
	}
	return what + then + ": " + causes(timeout.Pending...) + hints
}

func (r *Reporter) pending() []probe.Attempt {
	return slices.DeleteFunc(slices.Clone(r.last), func(a probe.Attempt) bool { return a.Outcome == probe.Ready })
}

func (r *Reporter) elapsed() time.Duration { return time.Since(r.start).Round(time.Millisecond) }

// remaining is the time to the deadline, where there is one.
func (r *Reporter) remaining() (left time.Duration, ends bool) {
	return max(0, r.options.Timeout-r.elapsed()), r.options.Timeout > 0
}

func causes(attempts ...probe.Attempt) string {
	list := make([]string, len(attempts))
	for i, a := range attempts {
		list[i] = probe.Redact(a.URL) + ": " + a.Cause()
	}
	return strings.Join(list, "; ")
}
