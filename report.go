package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/envoy-wait/envoy-wait/exec"
	"github.com/envoy-wait/envoy-wait/probe"
)

// At most maxChanges lines a minute about changes of state, and a heartbeat every
// heartbeatInterval: so a minute's wait stays under 20 lines, whatever the
// endpoints do.
const (
	heartbeatInterval = 10 * time.Second
	maxChanges        = 10
)

// report says on stderr what happens and why.
type report struct {
	settings *settings
	log      zerolog.Logger
	lines    lines
	live     live
	start    time.Time

	mu      sync.Mutex // guards what follows: attempts are reported by other goroutines
	over    bool
	targets []*target   // in the order of the URLs
	changes []time.Time // of the last lines about changes of state
}

// target is what is known of one endpoint.
type target struct {
	probe.Attempt      // the last one
	reached       bool // one of its attempts was not refused
}

func newReport(s *settings, stderr io.Writer) *report {
	r := &report{settings: s, lines: newLines(stderr), start: time.Now()}
	terminal := isTerminal(stderr)
	text := s.LogFormat == formatText || s.LogFormat != formatJSON && terminal
	r.live = live{lines: r.lines, lock: &r.mu, text: r.progress}
	if terminal {
		r.live.width = columns(stderr)
	}
	r.log = newLogger(&r.live, text, s.LogLevel)
	for _, url := range s.URLs {
		r.targets = append(r.targets, &target{Attempt: probe.Attempt{URL: url}})
	}
	return r
}

// begin warns of what is probably a typo.
func (r *report) begin(env []string) {
	s := r.settings
	r.log.Debug().Msgf("timeout %v, on timeout %s, request timeout %v, interval %v, disabled %v",
		time.Duration(s.Timeout), s.OnTimeout, time.Duration(s.RequestTimeout), time.Duration(s.Interval), s.Disabled)
	if unknown := unknownVariables(env, s.variables); len(unknown) > 0 {
		r.log.Warn().Strs("variables", unknown).Msgf("%s: unknown, ignored; known are %s",
			strings.Map(printable, strings.Join(unknown, ", ")), strings.Join(s.variables, ", "))
	}
	if !wantsLive(s, env) {
		r.live.width = nil
	}
}

// attempt is the hook of probe.Wait: it says when something changes.
func (r *report) attempt(a probe.Attempt) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.targets[slices.Index(r.settings.URLs, a.URL)]
	before := t.Attempt
	t.Attempt = a
	t.reached = t.reached || a.Outcome != probe.Refused

	first := before.Number == 0
	switch pending := r.pending(); {
	case r.over || len(pending) == 0 || r.settings.Once: // the last line says it
	case first && a.Outcome == probe.Ready: // nothing was ever wrong with it
	case !first && before.Outcome == a.Outcome && before.Cause() == a.Cause():
	case !r.mayReportChange():
	case a.Outcome == probe.Ready:
		r.waiting(fmt.Sprintf("%s is ready, waiting for %s", name(t), causes(pending)), t)
	case first:
		r.waiting("waiting for "+causes([]*target{t}), t)
	default:
		r.waiting(fmt.Sprintf("%s, was %s", causes([]*target{t}), before.Cause()), t)
	}
	if a.Outcome != probe.Ready {
		r.live.start()
	}
}

// mayReportChange bounds the lines about changes; heartbeats tell the rest.
func (r *report) mayReportChange() bool {
	now := time.Now()
	r.changes = slices.DeleteFunc(r.changes, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	if len(r.changes) == maxChanges {
		return false
	}
	r.changes = append(r.changes, now)
	return true
}

// heartbeat says that the wait goes on, and for what.
func (r *report) heartbeat() {
	r.mu.Lock()
	defer r.mu.Unlock()
	// Not where the last line is about to come.
	remaining, ends := r.remaining()
	if pending := r.pending(); len(pending) > 0 && (!ends || remaining >= time.Second) {
		r.waiting(fmt.Sprintf("still waiting after %v: %s", r.elapsed().Round(time.Second), causes(pending)), pending...)
	}
}

// waiting writes a line in the middle of the wait.
func (r *report) waiting(message string, about ...*target) {
	event := r.describe(r.log.Info(), about)
	if remaining, ends := r.remaining(); ends {
		event.Float64("remaining", seconds(remaining))
	}
	event.Msg(message)
}

// outcome says how a wait ended that err, a timeout or nil, did not make the
// end of envoy-wait.
func (r *report) outcome(timeout *probe.TimeoutError) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.live.stop()
	starting := ""
	if r.settings.hasCommand() {
		starting = fmt.Sprintf(", starting %q", r.settings.Command[0])
	}
	switch {
	case timeout != nil:
		r.describe(r.log.Warn(), r.pending()).Msg(r.timedOut(timeout, starting+" anyway"))
	case bool(r.settings.Disabled):
		r.log.Info().Msg("disabled, no wait" + starting)
	default:
		r.describe(r.log.Info(), r.targets).Msgf("ready after %v%s", r.elapsed().Round(time.Millisecond), starting)
	}
}

// end says why envoy-wait ends with err, on stderr and to the kubelet, and
// returns status. Without an error there is nothing left to say, and a command
// that has ended was free to speak for itself.
func (r *report) end(err error, status int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over = true
	r.live.stop()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		message, level, about := err.Error(), zerolog.ErrorLevel, []*target(nil)
		var timeout *probe.TimeoutError
		var signal *exec.SignalError
		switch {
		case errors.As(err, &timeout):
			message, about = r.timedOut(timeout, ""), r.pending()
		case errors.As(err, &signal):
			message, level, about = r.interrupted(signal), zerolog.WarnLevel, r.pending()
		}
		r.describe(r.log.WithLevel(level), about).Int("exit_status", status).Msg(message)
		if s := r.settings; s.dashes || s.hasCommand() || os.Getpid() == 1 {
			writeTerminationLog(message)
		}
	}
	r.flush()
	return status
}

func (r *report) flush() { r.lines.flush() }

func (r *report) timedOut(timeout *probe.TimeoutError, then string) string {
	pending := r.pending()
	elapsed := timeout.Elapsed.Round(time.Millisecond)
	if timeout.Absent {
		return fmt.Sprintf("no sidecar after %v%s: %s", elapsed, then, causes(pending))
	}
	message := fmt.Sprintf("not ready after %v%s: %s", elapsed, then, causes(pending))
	var hints []string
	for _, t := range pending {
		if hint := t.hint(r.settings.isIstios(t.URL)); hint != "" && !slices.Contains(hints, hint) {
			hints = append(hints, hint)
		}
	}
	if len(hints) > 0 {
		message += "; hint: " + strings.Join(hints, "; ")
	}
	return message
}

func (r *report) interrupted(signal *exec.SignalError) string {
	message := fmt.Sprintf("%s after %v", exec.SignalName(signal.Signal), r.elapsed().Round(time.Millisecond))
	if r.settings.hasCommand() {
		message += fmt.Sprintf(", %q not started", r.settings.Command[0])
	}
	return message
}

// describe adds the fields that a wait has.
func (r *report) describe(event *zerolog.Event, about []*target) *zerolog.Event {
	if len(about) == 0 {
		return event
	}
	attempts := 0
	for _, t := range about {
		attempts += t.Number
	}
	event.Float64("elapsed", seconds(r.elapsed())).Int("attempts", attempts)
	if len(about) == 1 {
		return event.EmbedObject(about[0])
	}
	all := zerolog.Arr()
	for _, t := range about {
		all.Object(t)
	}
	return event.Array("targets", all)
}

// MarshalZerologObject writes the fields of one endpoint.
func (t *target) MarshalZerologObject(event *zerolog.Event) {
	event.Str("url", probe.Redact(t.URL))
	switch {
	case t.Err != nil:
		event.Str("error", t.Err.Error())
	case t.Status != 0:
		event.Int("status", t.Status)
	}
}

func (r *report) pending() []*target {
	var pending []*target
	for _, t := range r.targets {
		if t.Outcome != probe.Ready {
			pending = append(pending, t)
		}
	}
	return pending
}

func (r *report) elapsed() time.Duration { return time.Since(r.start) }

// remaining is the time to the deadline, where there is one.
func (r *report) remaining() (left time.Duration, ends bool) {
	timeout := time.Duration(r.settings.Timeout)
	return max(0, timeout-r.elapsed()), timeout > 0
}

// seconds are those of d to the millisecond. Duration.Seconds would make
// 1.5110000000000001 of 1.511.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}

func name(t *target) string { return probe.Redact(t.URL) }

func causes(targets []*target) string {
	list := make([]string, len(targets))
	for i, t := range targets {
		list[i] = name(t) + ": " + t.Cause()
	}
	return strings.Join(list, "; ")
}

// hint says where to look, from what was seen of the endpoint.
func (t *target) hint(istio bool) string {
	scheme, _, _ := strings.Cut(strings.ToLower(t.URL), ":")
	tcp := scheme == "tcp"
	switch {
	case scheme == "file":
		return "has whatever writes that file run, and is it mounted here?"
	case t.Outcome == probe.Refused && tcp:
		return "does anything listen there? behind a mesh's redirect every connection is refused until there is a sidecar"
	case t.Outcome == probe.Refused && !t.reached:
		return "is there a sidecar in this Pod, and is this an init container? sidecars start after those, unless native"
	case t.Outcome == probe.Refused:
		return "the sidecar was there and is gone: did it crash, or is it restarting?"
	case t.Status == http.StatusServiceUnavailable && istio:
		return "the sidecar has no configuration yet: istio-proxy's log has the reason; is istiod reachable?"
	case t.Status == http.StatusServiceUnavailable:
		return "the sidecar is up and has not what it needs: its log has the reason; is its control plane reachable?"
	case t.Outcome == probe.NotHTTP, t.Outcome == probe.Unready && t.Status < http.StatusInternalServerError:
		return "is this URL, with its port, a readiness endpoint?"
	case t.Outcome == probe.NoAnswer && tcp:
		return "is that the address, and does a firewall or a NetworkPolicy drop what goes there?"
	case t.Outcome == probe.NoAnswer && istio:
		return "Envoy's admin does not answer: look at the sidecar's CPU limit and its log"
	case t.Outcome == probe.NoAnswer:
		return "the sidecar does not answer: look at its CPU limit and its log"
	default:
		return ""
	}
}

// writeTerminationLog leaves the reason where kubectl describe pod shows it. The
// kubelet mounts a file there; nothing else may be created or followed. See
// kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure.
func writeTerminationLog(message string) {
	const path, limit = "/dev/termination-log", 1024
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	message = "envoy-wait: " + message
	if len(message) > limit {
		message = strings.ToValidUTF8(message[:limit], "")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return // it is not ours to write, and there is nobody left to tell
	}
	_, _ = f.WriteString(message)
	_ = f.Close()
}
