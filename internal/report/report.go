// Package report says what happens and why: lines on stderr, hints, the live line of
// a terminal, and the kubelet's termination log. It alone knows zerolog. It gets
// options, and reads neither settings nor environment.
//
// At most 20 lines come in a minute, whatever the endpoints do. Whatever comes from
// outside is printed so that it can neither forge a line nor drive a terminal, and
// without passwords. A stderr that is closed, full, or read by nobody costs 0.1 s at
// most.
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

// HeartbeatInterval is how often Heartbeat is to be called.
const HeartbeatInterval = 10 * time.Second

// maxChanges is how many lines about changes of state a minute may have. With six
// heartbeats, the first line and the last a minute stays under 20 lines.
const maxChanges = 10

// Options say what to report, and how. The zero value logs nothing but errors of
// configuration, as JSON or, on a terminal, as text.
type Options struct {
	Format string // auto (or ""), json or text
	Level  string // debug, info (or ""), warn or error

	URLs     []string          // the endpoints, each one once
	Sidecars map[string]string // by URL: the preset whose parts a hint may name
	Timeout  time.Duration     // of the wait; 0 or less is none
	Command  string            // the name of the command, or ""
	Once     bool              // one attempt, no wait
	Disabled bool              // no wait

	LiveLine       bool // where stderr is a terminal, and what is logged is text
	TerminationLog bool // leave the reason of a failure for the kubelet
}

// Reporter says what happens. Its methods may be called from several goroutines.
type Reporter struct {
	options Options
	out     *writer
	log     zerolog.Logger
	start   time.Time

	mu      sync.Mutex      // guards what follows
	over    bool            // the wait has ended
	last    []probe.Attempt // the last one at each URL, in their order
	changes []time.Time     // of the last lines about changes of state
	redraws *time.Timer     // of the live line, or nil
}

// New returns a Reporter that writes to stderr.
func New(stderr io.Writer, options Options) *Reporter {
	r := &Reporter{options: options, out: newWriter(stderr), start: time.Now()}
	text := options.Format == "text" || options.Format != "json" && isTerminal(stderr)
	if text && options.LiveLine && !options.Once && (options.Level == "info" || options.Level == "debug") {
		r.out.live.columns = columns(stderr)
	}
	r.log = newLogger(r.out, text, options.Level)
	if !options.Once { // see timedOut
		r.log = r.log.With().Timestamp().Logger()
	}
	for _, url := range options.URLs {
		r.last = append(r.last, probe.Attempt{URL: url})
	}
	return r
}

// Warn says what was ignored.
func (r *Reporter) Warn(warning string) { r.log.Warn().Msg(printable(warning)) }

// Debug is for whoever looks for the cause of something.
func (r *Reporter) Debug(format string, args ...any) {
	r.log.Debug().Msg(printable(fmt.Sprintf(format, args...)))
}

// Attempt is the hook of probe.Wait: it says when something changes.
func (r *Reporter) Attempt(a probe.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.Index(r.options.URLs, a.URL)
	before := r.last[i]
	r.last[i] = a
	pending := r.pending()
	if r.over || len(pending) == 0 || r.options.Once {
		return // the last line says it
	}
	r.startLiveLine()

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
	now := time.Now()
	r.changes = slices.DeleteFunc(r.changes, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(r.changes) == maxChanges {
		return false
	}
	r.changes = append(r.changes, now)
	return true
}

// Heartbeat says that the wait goes on, and for what. It is silent where the last
// line is about to come.
func (r *Reporter) Heartbeat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	remaining, ends := r.remaining()
	if pending := r.pending(); len(pending) > 0 && (!ends || remaining >= time.Second) {
		r.waiting(fmt.Sprintf("still waiting after %v: %s", r.elapsed().Round(time.Second), causes(pending...)), pending...)
	}
}

// waiting writes a line in the middle of the wait.
func (r *Reporter) waiting(message string, about ...probe.Attempt) {
	event := r.describe(r.log.Info(), about...)
	if remaining, ends := r.remaining(); ends {
		event.Float64("remaining", seconds(remaining))
	}
	event.Msg(printable(message))
}

// Ready says that the wait has ended well, or that there was none, and which command
// starts now. It returns when that is out: the command may follow.
func (r *Reporter) Ready() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
	switch {
	case r.options.Disabled:
		r.log.Info().Msg(printable("disabled, no wait" + r.starting("")))
	case r.options.Once:
		r.describe(r.log.Info(), r.last...).Msg("ready")
	default:
		message := fmt.Sprintf("ready after %v%s", r.elapsed().Round(time.Millisecond), r.starting(""))
		r.describe(r.log.Info(), r.last...).Msg(printable(message))
	}
	r.out.flush()
}

// StartingAnyway says that the wait has timed out, and that the command starts all
// the same. It returns when that is out: the command may follow.
func (r *Reporter) StartingAnyway(timeout *probe.TimeoutError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
	r.describe(r.log.Warn(), timeout.Pending...).Msg(printable(r.timedOut(timeout, r.starting(" anyway"))))
	r.out.flush()
}

// Failed says why envoy-wait ends with status, on stderr and to the kubelet. A status
// above 128 is that of a signal, 128+n. It returns when that is out.
func (r *Reporter) Failed(err error, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.end()
	message, event, about := err.Error(), r.log.Error(), []probe.Attempt(nil)
	timeout, timedOut := errors.AsType[*probe.TimeoutError](err)
	switch {
	case timedOut:
		message, about = r.timedOut(timeout, ""), timeout.Pending
	case status > 128:
		message, event, about = r.interrupted(err), r.log.Warn(), r.pending()
	}
	message = printable(message)
	r.describe(event, about...).Int("exit_status", status).Msg(message)
	if r.options.TerminationLog {
		writeTerminationLog(message)
	}
	r.out.flush()
}

// Quit is the hook of probe.Quit: it says whether the sidecar was told to quit.
func (r *Reporter) Quit(a probe.Attempt) {
	event, message := r.log.Info(), "told to quit: "+causes(a)
	switch {
	case a.Outcome != probe.Ready:
		event, message = r.log.Warn(), "not "+message
		if hint := quitHints.find(a, r.options.Sidecars[a.URL]); hint != "" {
			message += "; hint: " + hint
		}
	case a.Status == 0:
		message = "told to quit: " + probe.Redact(a.URL) + ": gone before it answered"
	}
	endpoint(event.Float64("elapsed", seconds(a.Elapsed)).Int("attempts", a.Number), a).Msg(printable(message))
	r.out.flush()
}

// NotQuit says that the sidecar is not told to quit, since the command has failed.
func (r *Reporter) NotQuit(status int) {
	r.log.Info().Int("exit_status", status).Msgf("exit status %d, the sidecar is left running", status)
	r.out.flush()
}

// end is called before the last line.
func (r *Reporter) end() {
	r.over = true
	r.stopLiveLine()
}

func (r *Reporter) starting(how string) string {
	if r.options.Command == "" {
		return ""
	}
	return fmt.Sprintf(", starting %q%s", r.options.Command, how)
}

func (r *Reporter) timedOut(timeout *probe.TimeoutError, then string) string {
	what := "not ready"
	if timeout.Absent {
		what = "no sidecar"
	}
	if !timeout.Once { // what a probe says becomes an event, and the kubelet counts equal ones
		what += fmt.Sprintf(" after %v", timeout.Elapsed.Round(time.Millisecond))
	}
	message := what + then + ": " + causes(timeout.Pending...)
	if hints := r.hints(timeout); len(hints) > 0 {
		message += "; hint: " + strings.Join(hints, "; ")
	}
	return message
}

// hints are those that fit what was seen, each once.
func (r *Reporter) hints(timeout *probe.TimeoutError) (hints []string) {
	if timeout.Absent {
		return nil
	}
	for _, a := range timeout.Pending {
		if hint := waitHints.find(a, r.options.Sidecars[a.URL]); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	return hints
}

func (r *Reporter) interrupted(signal error) string {
	message := fmt.Sprintf("%v after %v", signal, r.elapsed().Round(time.Millisecond))
	if r.options.Command != "" {
		message += fmt.Sprintf(", %q not started", r.options.Command)
	}
	return message
}

func (r *Reporter) pending() []probe.Attempt {
	return slices.DeleteFunc(slices.Clone(r.last), func(a probe.Attempt) bool { return a.Outcome == probe.Ready })
}

func (r *Reporter) elapsed() time.Duration { return time.Since(r.start) }

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
