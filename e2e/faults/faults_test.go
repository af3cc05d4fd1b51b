//go:build linux

package faults

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

var (
	rounds = flag.Int("rounds", 50, "of each race")
	length = flag.Duration("wait", 700*time.Millisecond, "the timeout of each wait")
	docs   = flag.String("docs", "", "`folder` of proof.md and reliability.md, to put what was seen into them")
)

func TestMain(m *testing.M) {
	flag.Parse()
	// Rows wait most of the time, so more of them run at once than there are cores.
	parallel := "8"
	if *length > 10*time.Second {
		parallel = "32"
	}
	if err := flag.Set("test.parallel", parallel); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(files.dir)
	if code == 0 && *docs != "" {
		if err := writeTables(*docs); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// The promises: see docs/reliability.md.
const (
	// The promise is 50 ms. On a busy machine a start alone takes seconds. A wait that
	// misses its deadline takes much longer.
	maxOverrun = 100 * 50 * time.Millisecond
	maxMemory  = 24 << 20
	maxLines   = 20 // a minute

	appStatus = 7 // of the app
)

// fault is a row of the table.
type fault struct {
	name  string
	serve func(net.Conn, *endpoint)           // one connection; nil: nothing listens
	setUp func(*testing.T, *endpoint, *start) // makes the rest of the fault
	ready bool                                // the endpoint becomes ready
	slack time.Duration                       // to be added to maxOverrun
	alone bool                                // in a network of its own, where all ports are free
}

// start is how envoy-wait is started.
type start struct {
	timeout time.Duration
	args    []string // more of them, before the command
	wrapper []string // execs envoy-wait
	env     []string
	stderr  *os.File // else it is captured
	// during does something to the process while it waits. It returns for how long the
	// process could not go on.
	during func(p *running) time.Duration
	ready  bool // the endpoint becomes ready
}

// check runs the rows of a subject, each to all its ends.
func check(t *testing.T, subject string, faults []fault, alsoReady bool) {
	for i, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			time.Sleep(*length / 32 * time.Duration(i%16)) // so that long waits end one after the other
			s := seen{subject: subject, name: f.name}
			s.start = f.check(t, "start", f.serve, f.ready, &s)
			s.fail = f.check(t, "fail", f.serve, f.ready, &s)
			if alsoReady {
				f.check(t, "fail", answer(genuine), true, &s)
			}
			if !t.Failed() {
				remember(s)
			}
		})
	}
}

// check runs the row to one of its ends, and returns the exit status.
func (f fault) check(t *testing.T, onTimeout string, serve func(net.Conn, *endpoint), ready bool, s *seen) int {
	t.Helper()
	r := f.runWhere(t, onTimeout, serve, ready)
	// A busy machine may delay one run. A deadline that does not hold is missed in each.
	for range 4 {
		if r.late && !ready && r.Signal == 0 {
			t.Logf("got an end after %v: once more", r.Took())
			r = f.runWhere(t, onTimeout, serve, ready)
		}
	}
	if r.late {
		t.Errorf("got an end after %v, want it within %v of the deadline\n%s", r.Took(), maxOverrun+f.slack, r.stderr)
	}

	wantCode, wantStarts := appStatus, int32(1)
	if !ready && onTimeout == "fail" {
		wantCode, wantStarts = 124, 0
	}
	if r.Code != wantCode || r.Signal != 0 || r.starts != wantStarts {
		t.Errorf("on timeout %s: got exit status %d, signal %d, %d starts, want exit status %d and %d starts\n%s",
			onTimeout, r.Code, r.Signal, r.starts, wantCode, wantStarts, r.stderr)
	}
	if r.early || !ready && r.Took() < *length {
		t.Errorf("got an end after %v, want it after a 200 or the timeout\n%s", r.Took(), r.stderr)
	}
	if r.PeakKB<<10 > maxMemory {
		t.Errorf("got %d KiB of memory, want at most %d", r.PeakKB, maxMemory>>10)
	}
	lines := strings.Count(r.stderr, "\n")
	if limit := maxLines * max(1, int(*length/time.Minute)); lines >= limit {
		t.Errorf("got %d lines, want less than %d", lines, limit)
	}
	if dump.MatchString(r.stderr) {
		t.Errorf("got a crash, want none: %s", r.stderr)
	}
	s.memory = max(s.memory, r.PeakKB<<10)
	s.lines = max(s.lines, lines)
	if !ready {
		s.overrun = max(s.overrun, r.overrun)
	}
	if ready == f.ready {
		s.cause = causeIn(r.stderr)
	}
	return r.Code
}

// runWhere runs the row once, in its network.
func (f fault) runWhere(t *testing.T, onTimeout string, serve func(net.Conn, *endpoint), ready bool) (r result) {
	t.Helper()
	if !f.alone {
		return f.run(t, onTimeout, serve, ready)
	}
	harness.InNetwork(t, func() { r = f.run(t, onTimeout, serve, ready) })
	return r
}

func (f fault) run(t *testing.T, onTimeout string, serve func(net.Conn, *endpoint), ready bool) result {
	t.Helper()
	binaries(t) // before the endpoint, since a build takes long
	e := newEndpoint(t, serve)
	e.mustBeReady = ready
	timeout := *length
	if ready {
		timeout = harness.Patience // the wait ends long before
	}
	how := &start{timeout: timeout, ready: ready, args: []string{"--on-timeout", onTimeout}, env: harness.Env()}
	if f.setUp != nil {
		f.setUp(t, e, how)
	}
	how.args = append([]string{"--timeout", timeout.String()}, how.args...)
	if e.url != "" { // else the preset's
		how.args = append([]string{"--url", e.url}, how.args...)
	}
	p := launch(t, e, how)
	end := timeout
	if how.during != nil && !ready {
		end = max(end, how.during(p))
	}
	r := p.result()
	r.overrun = r.Took() - end
	r.late = r.overrun > maxOverrun+f.slack
	return r
}

// dump begins the lines of the Go runtime about a crash.
var dump = regexp.MustCompile(`(?m)^(panic|fatal error|goroutine \d|SIG[A-Z]+:|runtime: )`)

// causeIn returns the cause in the last line.
func causeIn(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	var last struct {
		Error  string
		Status int
	}
	if json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil {
		return "" // there is no log
	}
	if last.Error == "" && last.Status != 0 {
		return fmt.Sprintf("status %d", last.Status)
	}
	return last.Error
}

// files has copies of the binaries that any user may execute.
var files struct {
	sync.Once
	dir string
	err error
}

func binaries(t *testing.T) (envoyWait, launcher string) {
	t.Helper()
	binary := harness.Binary(t)
	files.Do(func() {
		if files.dir, files.err = os.MkdirTemp("", "envoy-wait-faults-"); files.err != nil {
			return
		}
		script := `set -e; chmod 755 "$1"; cp "$2" "$1/envoy-wait"; CGO_ENABLED=0 exec go build -ldflags "-s -w" -o "$1" ./e2e/launch`
		cmd := exec.Command("sh", "-c", script, "sh", files.dir, binary)
		cmd.Dir = harness.Root()
		_, files.err = cmd.Output()
	})
	if files.err != nil {
		t.Fatal(files.err)
	}
	return filepath.Join(files.dir, "envoy-wait"), filepath.Join(files.dir, "launch")
}

// running is envoy-wait under a launcher that measures it.
type running struct {
	*harness.Process
	t             *testing.T
	timeout       time.Duration
	pid           int // of envoy-wait, and of the app
	report        *bufio.Reader
	starts        atomic.Int32
	early         atomic.Bool // the app started before anything answered 200
	startsWatched chan struct{}
}

type result struct {
	wire.Report
	stderr string
	starts int32 // of the app
	early  bool  // it was started before anything answered 200
	late   bool

	overrun time.Duration // from the first moment at which the wait could end
}

func launch(t *testing.T, e *endpoint, how *start) *running {
	t.Helper()
	binary, launcher := binaries(t)
	args := slices.Concat([]string{"-pid"}, how.wrapper, []string{binary}, how.args, []string{"--", launcher, "-app"})
	cmd := exec.Command(launcher, args...)
	cmd.Env = how.env
	if how.stderr != nil {
		cmd.Stderr = how.stderr
	}
	started, startedWrite := harness.Pipe(t)
	report, reportWrite := harness.Pipe(t)
	_, _ = started.SetDeadline(time.Time{}), report.SetDeadline(time.Time{}) // a wait may be as long
	cmd.ExtraFiles = []*os.File{reportWrite, startedWrite}
	p := &running{t: t, timeout: how.timeout, Process: harness.Start(t, cmd), report: bufio.NewReader(report), startsWatched: make(chan struct{})}
	_, _ = startedWrite.Close(), reportWrite.Close()
	go func() {
		defer close(p.startsWatched)
		for lines := bufio.NewScanner(started); lines.Scan(); {
			p.starts.Add(1)
			p.early.Store(e.mustBeReady && !e.ready.Load())
		}
	}()
	p.read(&p.pid)
	return p
}

// read takes the next report of the launcher.
func (p *running) read(into any) {
	p.t.Helper()
	line, err := p.report.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		p.t.Fatalf("the launcher: %v\n%s", err, p.Stderr())
	}
}

func (p *running) result() result {
	p.t.Helper()
	// Without its child's end the launcher would not end.
	timer := time.AfterFunc(p.timeout+harness.Patience/2, func() { _ = syscall.Kill(p.pid, syscall.SIGKILL) })
	defer timer.Stop()
	var r result
	p.read(&r.Report)
	if r := p.Result(); r.Code != 0 {
		p.t.Fatalf("the launcher: %+v", r)
	}
	<-p.startsWatched
	r.stderr, r.starts, r.early = p.Stderr(), p.starts.Load(), p.early.Load()
	return r
}
