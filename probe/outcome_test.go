package probe

import (
	"errors"
	"net"
	"syscall"
	"testing"
	"time"
)

func TestOutcomeInWords(t *testing.T) {
	for outcome, want := range map[Outcome]string{0: "none", Ready: "ready", Unready: "unready", Refused: "refused",
		NoAnswer: "no answer", NotHTTP: "not HTTP", Failed: "failed", 99: "Outcome(99)"} {
		if got := outcome.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAttemptInWords(t *testing.T) {
	const url = "http://me:secret@h/ready"
	for want, a := range map[string]Attempt{
		"attempt 3 after 1.235s: http://xxxxx@h/ready: status 503":           {URL: url, Number: 3, Elapsed: 1234567 * time.Microsecond, Outcome: Unready, Status: 503},
		"attempt 1 after 0s: http://xxxxx@h/ready: connection refused":       {URL: url, Number: 1, Outcome: Refused, Err: syscall.ECONNREFUSED},
		"attempt 2 after 0s: http://xxxxx@h/ready: ready":                    {URL: url, Number: 2, Outcome: Ready},
		"attempt 0 after 0s: http://xxxxx@h/ready: no attempt yet":           {URL: url},
		"attempt 1 after 0s: http://xxxxx@h/ready: no attempt was completed": {URL: url, Number: 1},
	} {
		if got := a.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestClassifyKeepsTheErrno(t *testing.T) {
	err := &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
	if outcome, cause := classify(err); outcome != Failed || !errors.Is(cause, syscall.ENETUNREACH) {
		t.Errorf("got %v (%v), want failed (%v)", outcome, cause, syscall.ENETUNREACH)
	}
}
