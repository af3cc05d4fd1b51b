//go:build linux

package scuttle

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil { // a case waits most of the time
		panic(err)
	}
	harness.Main(m, nil)
}

// situation is a case: a Pod, a command line, and the outcome of each program, in the words of run.
type situation struct {
	name         string
	admin, agent string // what they do: see world.handle
	env          []string
	args         []string // the command; app in a shell by default
	app          string
	pid1         bool
	signal       syscall.Signal
	at           string // the moment of the signal: "waiting", "running" or "quitting"
	stdinEnds    bool   // after that moment; the outcome tells whether there is a zombie then
	timed        bool   // the outcome tells whether the run took slow or longer
	log          bool   // the outcome tells where the log is

	scuttle, ours string // ours is empty where it is the same
	page          string // the words on docs/migrating.md that tell the difference
}

const (
	slow  = 4 * time.Second  // the timeouts of timed cases
	limit = 15 * time.Second // after that a run is killed
)

// TestCaseByCase runs each case with envoy-wait by the name of scuttle, and with scuttle where that is there.
func TestCaseByCase(t *testing.T) {
	harness.NeedRoot(t)
	page := words(harness.Source(t, "docs/migrating.md"))
	ours := filepath.Join(t.TempDir(), "scuttle")
	harness.Must(t, "ln", "-s", harness.Binary(t), ours)
	rival := filepath.Join(harness.Root(), "bin", "rivals", "scuttle")
	if _, err := os.Stat(rival); err != nil {
		t.Logf("without the real scuttle (make rivals): %v", err)
		rival = ""
	}
	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			if rival != "" {
				harness.Want(t, "scuttle", s.run(t, rival), s.scuttle)
			}
			if (s.page != "") != (s.ours != "") || s.ours == s.scuttle {
				t.Errorf("got the words %q for the outcomes %q and %q, want words where they differ", s.page, s.scuttle, s.ours)
			}
			if !strings.Contains(page, s.page) {
				t.Errorf("got no %q on docs/migrating.md, want these words", s.page)
			}
			got, want := s.run(t, ours), cmp.Or(s.ours, s.scuttle)
			harness.Want(t, "envoy-wait", got, want)
		})
	}
}

// TestDifferencesAreCases checks that each row of the page about other differences belongs to a case.
func TestDifferencesAreCases(t *testing.T) {
	_, table, _ := strings.Cut(harness.Source(t, "docs/migrating.md"), "\nWhat else changes:\n")
	table, _, _ = strings.Cut(strings.TrimSpace(table), "\n\n")
	rows := strings.Split(table, "\n")[2:]
	if len(rows) < 5 {
		t.Fatalf("got %d rows, want at least 5", len(rows))
	}
	for _, row := range rows {
		isCase := false
		for _, s := range situations {
			isCase = isCase || s.page != "" && strings.Contains(words(row), s.page)
		}
		if !isCase {
			t.Errorf("got the difference %s\nwant a case of it", row)
		}
	}
}

// words is a text with single spaces.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// run runs the program in a Pod of its own, and returns the outcome.
func (s situation) run(t *testing.T, program string) (outcome string) {
	t.Helper()
	harness.InNetwork(t, func() { outcome = s.runHere(t, program) })
	return outcome
}

func (s situation) runHere(t *testing.T, program string) string {
	t.Helper()
	w := newWorld(t, s.admin, s.agent)
	args := s.args
	if args == nil {
		args = []string{"sh", "-c", cmp.Or(s.app, "echo app: started")}
	}
	cmd := harness.Detached(exec.Command(program, args...))
	if s.pid1 {
		cmd = harness.AsPID1(cmd)
	}
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, s.env...)
	stdin := harness.Stdin(t, cmd)
	start := time.Now()
	p := harness.Start(t, cmd)
	killed := atomic.Bool{}
	timer := time.AfterFunc(limit, func() {
		killed.Store(true)
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
	})
	defer timer.Stop()
	switch s.at {
	case "waiting":
		w.asked.await(t)
	case "running":
		p.Await("app: started")
	case "quitting":
		w.told.await(t)
	}
	if s.signal != 0 {
		p.Signal(s.signal)
	}
	zombie := s.stdinEnds && len(harness.Children(p.Process.Pid)) > 1
	if s.stdinEnds {
		_ = stdin.Close()
	}
	r := p.Result()

	outcome := []string{fmt.Sprintf("exit %d", r.Code)}
	switch {
	case killed.Load():
		outcome[0] = "does not end"
	case r.Signal != 0:
		outcome[0] = fmt.Sprintf("signal %d", r.Signal)
	}
	if started.MatchString(r.Stdout) {
		outcome = append(outcome, "started")
	}
	outcome = append(outcome, w.seen()...)
	if s.timed && time.Since(start) >= slow {
		outcome = append(outcome, "late")
	}
	if zombie {
		outcome = append(outcome, "a zombie")
	}
	if s.log {
		outcome = append(outcome, "log: "+logOf(r))
	}
	return strings.Join(outcome, ", ")
}

var started = regexp.MustCompile(`(?m)^app: started$`)

// logOf returns the stream of the log.
func logOf(r harness.Result) string {
	where := "none"
	if strings.Contains(r.Stdout, "scuttle:") {
		where = "stdout"
	}
	if strings.Contains(r.Stderr, "envoy-wait") {
		where = "stderr"
	}
	return where
}
