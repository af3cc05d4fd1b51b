//go:build linux

package harness

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
)

// Result is how a process ended.
type Result struct {
	Stdout, Stderr string
	// Code is the exit status, or 128 plus the number of Signal.
	Code   int
	Signal syscall.Signal
}

// Want checks that the process exited with code, and wrote stdout.
func (r Result) Want(t testing.TB, code int, stdout string) Result {
	t.Helper()
	r.WantCode(t, code)
	Want(t, "stdout", r.Stdout, stdout)
	return r
}

// WantCode checks that the process exited with code, and no signal killed it.
func (r Result) WantCode(t testing.TB, code int) Result {
	t.Helper()
	if r.Code != code || r.Signal != 0 {
		t.Errorf("got exit status %d, signal %d, want %d\nstdout: %q\nstderr: %s", r.Code, r.Signal, code, r.Stdout, r.Stderr)
	}
	return r
}

// WantSignal checks that a signal killed the process.
func (r Result) WantSignal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if r.Signal != signal {
		t.Errorf("got exit status %d, signal %d, want signal %d\nstdout: %q\nstderr: %s", r.Code, r.Signal, signal, r.Stdout, r.Stderr)
	}
}

// Lines returns the lines of stderr. All must be JSON.
func (r Result) Lines(t testing.TB) (lines []map[string]any) {
	t.Helper()
	for text := range strings.Lines(r.Stderr) {
		var line map[string]any
		if err := json.Unmarshal([]byte(text), &line); err != nil {
			t.Fatalf("got %s (%v), want JSON", text, err)
		}
		lines = append(lines, line)
	}
	return lines
}

// WantLines checks the number of lines on stderr. All must be JSON.
func (r Result) WantLines(t testing.TB, n int) Result {
	t.Helper()
	if got := len(r.Lines(t)); got != n {
		t.Errorf("got %d lines, want %d: %s", got, n, r.Stderr)
	}
	return r
}

// Message returns the message of the last line, or "".
func (r Result) Message(t testing.TB) string {
	t.Helper()
	lines := r.Lines(t)
	if len(lines) == 0 {
		return ""
	}
	return lines[len(lines)-1]["message"].(string)
}

// Says checks the beginning of the message in the last line, and texts in it.
func (r Result) Says(t testing.TB, begin string, more ...string) Result {
	t.Helper()
	message := r.Message(t)
	if !strings.HasPrefix(message, begin) {
		t.Errorf("got the message %q, want it to begin with %q", message, begin)
	}
	WantIn(t, message, more...)
	return r
}

// Want compares two values.
func Want[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %#v, want %#v", what, got, want)
	}
}

// WantNotIn checks that a text contains none of others.
func WantNotIn(t testing.TB, text string, unwanted ...string) {
	t.Helper()
	for _, bad := range unwanted {
		if strings.Contains(text, bad) {
			t.Errorf("got %q, want no %q in it", text, bad)
		}
	}
}

// WantIn checks that a text contains others.
func WantIn(t testing.TB, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("got %q, want %q in it", text, want)
		}
	}
}
