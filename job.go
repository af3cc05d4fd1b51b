package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// A Job's Pod completes when all its containers have ended, and a sidecar does
// not end by itself. With --quit-url envoy-wait stays as the command's parent,
// tells the sidecar to quit when the command has ended, or was never started, and
// exits as the command did.

// quitOnSuccess leaves the sidecar to the next attempt of restartPolicy: OnFailure.
const quitOnSuccess = "success"

// isJob is false for --once: a probe has the variables of its container.
func (s *settings) isJob() bool { return len(s.QuitURLs) > 0 && !s.Once && s.Install == nil }

// validateJob refuses --quit-url where there is nothing to end: a script that
// waits only would lose its sidecar before it has used it.
func (s *settings) validateJob() error {
	if s.isJob() && !s.hasCommand() {
		return errors.New("expected a command: with --quit or --quit-url, or their variables, or scuttle's, the sidecar is told to quit after it")
	}
	return nil
}

// quit tells the sidecars to quit, and what came of it. It changes nothing else,
// least of all the exit status; nor does a signal cut it short, since it is
// bounded by --quit-timeout, and a second signal often comes with the first.
func quit(s *settings, status int, report *report) {
	switch {
	case !s.isJob():
		return
	case s.QuitOn == quitOnSuccess && status != 0:
		report.log.Info().Int("exit_status", status).Msgf("exit status %d, the sidecar is left running", status)
	default:
		_ = probe.Quit(context.Background(), probe.QuitConfig{
			URLs: s.QuitURLs, Timeout: time.Duration(s.QuitTimeout), UserAgent: userAgent(),
			OnResult: report.quit,
		})
	}
	report.flush()
}

// quit is the hook of probe.Quit.
func (r *report) quit(a probe.Attempt) {
	t := &target{Attempt: a}
	event, message := r.log.Info(), "told to quit: "+causes([]*target{t})
	switch {
	case a.Outcome != probe.Ready:
		event, message = r.log.Warn(), "not "+message
		if meaning := quitMeaning(a); meaning != "" {
			message += "; hint: " + meaning
		}
	case a.Status == 0:
		message = "told to quit: " + name(t) + ": gone before it answered"
	}
	event.Float64("elapsed", seconds(a.Elapsed)).Int("attempts", a.Number).EmbedObject(t).Msg(message)
}

// quitMeaning says what a sidecar that was not told probably means.
func quitMeaning(a probe.Attempt) string {
	switch {
	case a.Status == http.StatusNotFound:
		return "no such endpoint: is the URL right, and does this sidecar allow to be shut down?"
	case a.Status == http.StatusForbidden:
		return "the sidecar takes this from its own Pod's loopback only: is the host localhost?"
	case a.Status == http.StatusMethodNotAllowed:
		return "it takes no POST: this is not a quit endpoint"
	case a.Outcome == probe.Refused:
		return "nothing listens there: has the sidecar ended already, or is there none in this Pod?"
	case a.Outcome == probe.NoAnswer:
		return "the sidecar may not have noticed, and then keeps the Job's Pod from completing"
	default:
		return ""
	}
}

// quitURLs are endpoints that take a POST.
type quitURLs []string

func (q *quitURLs) Decode(ctx *kong.DecodeContext) error {
	return decodeURLs(ctx, (*[]string)(q), probe.ValidateQuitURL, proxies[0].quit)
}
