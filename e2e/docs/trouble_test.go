//go:build linux

package docs

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The sample of the race has what the filter before it finds, and shows the race.
func TestSampleOfTheRace(t *testing.T) {
	const refused, ready = "ECONNREFUSED", "Envoy proxy is ready"
	var texts []string
	for _, m := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(blockWith(t, "text", ready).Text, -1) {
		texts = append(texts, m[1])
	}
	sample := blockWith(t, "log", ready).Text
	last := ""
	for line := range strings.Lines(sample) {
		clock, _, _ := strings.Cut(line, " ")
		if clock <= last {
			t.Errorf("got %s after %s, want the lines in order", clock, last)
		}
		last = clock
		if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) }) {
			t.Errorf("got a line without any of %q: %s", texts, line)
		}
	}
	if first := strings.Index(sample, refused); first < 0 || first > strings.Index(sample, ready) {
		t.Errorf("got no %s before %q, want a race", refused, ready)
	}
	for _, b := range []block{blockWith(t, "text", "k8s_container"), blockWith(t, "sh", "grep ")} {
		harness.WantIn(t, b.Text, refused, "connection refused")
	}
}

// shell is a script beside the programs of the transcripts.
func shell(t *testing.T, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+script)
	cmd.Env = harness.Env("PATH=" + workshop(t, harness.Binary(t)) + ":" + os.Getenv("PATH"))
	return cmd
}

// TERM during the wait is a success behind tini, and 143 without it.
func TestStoppedWaitIsASuccess(t *testing.T) {
	harness.NeedTools(t, "tini")
	line := blockWith(t, "sh", "tini ").Text
	wait := line[strings.Index(line, "envoy-wait"):]
	for _, test := range []struct {
		script string
		code   int
	}{{line, 0}, {wait, 143}} {
		harness.InNetwork(t, func() {
			p := harness.Start(t, harness.Detached(shell(t, test.script)))
			p.Await("connection refused")
			p.Signal(syscall.SIGTERM)
			p.Result().Want(t, test.code, "")
		})
	}
}

// The pause comes between the end of the app and the quit, and keeps the app's status.
func TestPauseBeforeTheQuit(t *testing.T) {
	harness.InNetwork(t, func() {
		s := &stand{t: t}
		s.play("200")
		defer s.close()
		script := strings.Replace(blockWith(t, "sh", "sleep 2").Text, "'app;", "'failing-app;", 1)
		start := time.Now()
		p := harness.Start(t, shell(t, script))
		p.Await("app: started")
		harness.Want(t, "requests to quit at the app's end", s.istio.Quits(), 0)
		p.Result().Want(t, 7, "app: started\n")
		harness.Want(t, "requests to quit", s.istio.Quits(), 1)
		if pause := time.Since(start); pause < 2*time.Second {
			t.Errorf("got an end after %v, want a pause of 2s", pause)
		}
	})
}
