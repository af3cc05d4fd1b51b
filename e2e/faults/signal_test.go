//go:build linux

package faults

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// app says that it runs. It has no handler, so a signal kills it. Where the signal was
// lost, it ends with 1 at the end of stdin.
const app = `echo started; read -r _; exit 1`

// appAsPID1 has a handler: without one the kernel drops a signal to PID 1.
const appAsPID1 = `trap 'exit 9' TERM; echo started; read -r _; exit 1`

// round is one start with a signal or two at random moments.
type round struct {
	harness.Result
	started    bool      // the app said so
	from, sent time.Time // before and after the kill(2) of the last signal
	exe        string    // of the process after that
	child      bool      // the process had one before that
}

// signalled runs command, sends each signal after its delay, and returns how that ended.
// After patience it closes the stdin of an app that no signal has reached.
func signalled(t *testing.T, command []string, pid1 bool, patience time.Duration, signals map[syscall.Signal]time.Duration) round {
	t.Helper()
	cmd := harness.Detached(exec.Command(command[0], command[1:]...))
	if pid1 {
		cmd = harness.AsPID1(cmd)
	}
	cmd.Env = harness.Env()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, cmd)
	spawned := time.Now()
	order := make([]syscall.Signal, 0, len(signals))
	for signal := range signals {
		order = append(order, signal)
	}
	slices.SortFunc(order, func(a, b syscall.Signal) int { return int(signals[a] - signals[b]) })
	var r round
	for _, signal := range order {
		time.Sleep(signals[signal] - time.Since(spawned))
		r.child = len(harness.Children(p.Process.Pid)) > 0
		r.from = time.Now()
		_ = syscall.Kill(p.Process.Pid, signal) // not reaped yet: the process is ours
		r.sent = time.Now()
		r.exe, _ = os.Readlink(fmt.Sprintf("/proc/%d/exe", p.Process.Pid))
	}
	timer := time.AfterFunc(patience, func() { _ = stdin.Close() }) // not sooner: the app must live until the signal
	defer timer.Stop()
	r.Result = p.Result()
	_ = stdin.Close()
	r.started = strings.Contains(r.Stdout, "started\n")
	return r
}

// repeat runs the rounds, several at once, and counts their outcomes.
func repeat(t *testing.T, name string, rounds int, once func(random *rand.Rand) (outcome string)) {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	o := outcomes{name: name, rounds: rounds, counts: map[string]int{}}
	var next atomic.Int64
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range atOnce {
		workers.Go(func() {
			for i := next.Add(1); i <= int64(rounds) && !t.Failed(); i = next.Add(1) {
				outcome := once(rand.New(rand.NewPCG(seed, uint64(i))))
				mu.Lock()
				o.counts[outcome]++
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	t.Logf("%d rounds: %v", rounds, o.counts)
	if !t.Failed() {
		rememberOutcomes(o)
	}
}

// atOnce is how many rounds run side by side.
const atOnce = 4

// toApp is the time from a start to the end of its app: the median of a few, with as
// many at once as in the rounds.
func toApp(t *testing.T, command []string) time.Duration {
	t.Helper()
	took := make([]time.Duration, 4*atOnce)
	var workers sync.WaitGroup
	for worker := range atOnce {
		workers.Go(func() {
			for i := worker; i < len(took); i += atOnce {
				start := time.Now()
				out, err := exec.Command(command[0], command[1:]...).Output()
				if took[i] = time.Since(start); !strings.HasPrefix(string(out), "started\n") {
					t.Errorf("got %q, %v, want started first", out, err)
				}
			}
		})
	}
	workers.Wait()
	slices.Sort(took)
	return took[len(took)/2]
}

// moment is a random one from spawn to 50 ms after the app's start. Most of them are
// before the app's start.
func moment(random *rand.Rand, start time.Duration) time.Duration {
	if random.IntN(4) == 0 {
		return start + time.Duration(random.Int64N(int64(50*time.Millisecond)))
	}
	return time.Duration(random.Int64N(int64(start * 3 / 2)))
}

// behind is a command that becomes the app at once, since the endpoint is ready.
func behind(t *testing.T, script string) []string { return behindAn(t, answer(genuine), script) }

func behindAn(t *testing.T, endpoint func(net.Conn, *endpoint), script string) []string {
	t.Helper()
	binary, _ := binaries(t)
	return []string{binary, "--log-level", "debug", "--url", newEndpoint(t, endpoint).url, "--", "sh", "-c", script}
}

// asJob is behind with a sidecar to quit, so that envoy-wait stays as the app's parent.
func asJob(t *testing.T, script string) []string {
	t.Helper()
	return slices.Insert(behind(t, script), 1, "--quit-url", newEndpoint(t, answer(genuine)).url)
}

// A signal ends envoy-wait or reaches the app: never both, never neither.
func TestSignalAtAnyMoment(t *testing.T) {
	command := behind(t, app)
	start := toApp(t, command)
	repeat(t, "SIGTERM to an ordinary process", *rounds, func(random *rand.Rand) string {
		r := signalled(t, command, false, 5*time.Second, map[syscall.Signal]time.Duration{syscall.SIGTERM: moment(random, start)})
		return endOf(t, r, syscall.SIGTERM)
	})
}

// Without a handler of ours the Go runtime drops USR1: before the first attempt has failed, and between the hand-over
// and execve.
func TestUSR1AtAnyMoment(t *testing.T) {
	command := behindAn(t, unreadyOnce, app)
	start := toApp(t, command)
	repeat(t, "SIGUSR1 to an ordinary process", *rounds, func(random *rand.Rand) string {
		r := signalled(t, command, false, time.Second, map[syscall.Signal]time.Duration{syscall.SIGUSR1: moment(random, start)})
		first, last := r.logged()
		lost := r.Code == 1 && r.started
		if lost && r.from.Before(first) {
			return "dropped before the first attempt has failed"
		}
		if lost && r.sent.After(last) {
			return "dropped between hand-over and execve"
		}
		return endOf(t, r, syscall.SIGUSR1)
	})
}

func TestTwoSignalsAtAnyMoment(t *testing.T) {
	command := behind(t, app)
	start := toApp(t, command)
	repeat(t, "SIGTERM and SIGUSR1 to an ordinary process", max(10, *rounds/10), func(random *rand.Rand) string {
		r := signalled(t, command, false, 5*time.Second, map[syscall.Signal]time.Duration{
			syscall.SIGTERM: moment(random, start), syscall.SIGUSR1: moment(random, start),
		})
		return endOf(t, r, syscall.SIGTERM, syscall.SIGUSR1)
	})
}

// endOf checks how a round ended, and says it in a few words.
func endOf(t *testing.T, r round, signals ...syscall.Signal) string {
	t.Helper()
	says := strings.Contains(r.Stderr, "not started")
	switch {
	case r.Signal == 0 && !slices.ContainsFunc(signals, func(s syscall.Signal) bool { return r.Code == 128+int(s) }),
		r.Signal != 0 && !slices.Contains(signals, r.Signal):
		t.Errorf("got %+v, want the signal to end envoy-wait or the app", r)
		return "lost"
	case r.started && (r.Signal == 0 || says):
		t.Errorf("got %+v, want the end of envoy-wait or a start, not both", r)
		return "both"
	case r.Signal == 0:
		return "128+n, no app"
	case r.started:
		return "the app was killed"
	case strings.Contains(r.Stderr, "starting"):
		return "killed between the last line and the app's first"
	default:
		return "killed before Go's handlers, no app"
	}
}

// The kernel drops a signal to PID 1 that has no handler. From the first line of the log
// to the last none is lost. Before and after that a direct start loses signals too.
func TestSignalAtAnyMomentAsPID1(t *testing.T) {
	harness.NeedRoot(t)
	for name, command := range map[string][]string{
		"SIGTERM to PID 1, through envoy-wait": behind(t, appAsPID1), "SIGTERM to PID 1, started directly": {"sh", "-c", appAsPID1},
	} {
		start := toApp(t, command)
		repeat(t, name, *rounds, func(random *rand.Rand) string {
			r := signalled(t, command, true, 300*time.Millisecond, map[syscall.Signal]time.Duration{syscall.SIGTERM: moment(random, start)})
			return endAsPID1(t, r)
		})
	}
}

func endAsPID1(t *testing.T, r round) string {
	t.Helper()
	first, last := r.logged()
	switch {
	case r.Code == 9: // the handler is there before the app's first line
		return "the app's handler"
	case r.Code == 143 && r.Signal == 0 && !r.started:
		return "128+n, no app"
	case r.Code == 2 && !r.started && (first.IsZero() || r.from.Before(first)):
		// Go's runtime has its handlers, and we have none yet. It cannot kill PID 1.
		return "exit status 2 in Go's start, no app"
	case !first.IsZero() && r.from.After(first) && r.sent.Before(last):
		t.Errorf("got %+v, want no signal to be lost in envoy-wait", r)
		return "lost in envoy-wait"
	case r.Code == 2 && !r.started:
		return "exit status 2 between hand-over and execve, no app"
	case r.Code != 1 || !r.started:
		t.Errorf("got %+v, want an app whose stdin has ended", r)
		return "neither"
	case r.from.Before(first):
		return "dropped in Go's start"
	case strings.HasSuffix(r.exe, "/envoy-wait"):
		return "dropped in execve"
	case strings.HasSuffix(r.exe, ".test"):
		return "dropped before execve of the whole"
	default:
		return "dropped in the app before its handler"
	}
}

// With --quit a signal to envoy-wait reaches the app: TERM from the first line of the log on, USR1 from the fork on.
func TestSignalAtAnyMomentToAJob(t *testing.T) {
	for _, race := range []struct {
		name   string
		app    string
		pid1   bool
		signal syscall.Signal
	}{
		{"SIGTERM to an ordinary process, --quit", app, false, syscall.SIGTERM},
		{"SIGUSR1 to an ordinary process, --quit", app, false, syscall.SIGUSR1},
		{"SIGTERM to PID 1, --quit", appAsPID1, true, syscall.SIGTERM},
	} {
		if race.pid1 {
			harness.NeedRoot(t)
		}
		command := asJob(t, race.app)
		start := toApp(t, command)
		repeat(t, race.name, *rounds, func(random *rand.Rand) string {
			r := signalled(t, command, race.pid1, time.Second, map[syscall.Signal]time.Duration{race.signal: moment(random, start)})
			return endOfJob(t, r, race.signal)
		})
	}
}

func endOfJob(t *testing.T, r round, signal syscall.Signal) string {
	t.Helper()
	first, _ := r.logged()
	early := first.IsZero() || r.from.Before(first)
	notStarted := strings.Contains(r.Stderr, "not started")
	switch {
	case r.Code == 9 && r.started:
		return "the app's handler"
	case r.Code == 128+int(signal) && r.Signal == 0 && notStarted && !r.started:
		return "128+n, no app"
	case r.Code == 128+int(signal) && r.Signal == 0 && !notStarted && r.started:
		return "the app was killed"
	case r.Code == 128+int(signal) && r.Signal == 0 && !notStarted:
		return "the app was killed before its first line"
	case r.Signal == signal && !r.started && early:
		return "killed before Go's handlers, no app"
	case r.Code == 2 && !r.started && early:
		return "exit status 2 in Go's start, no app"
	case r.Code == 2 && early:
		return "exit status 2 in Go's start, and the app was started and killed"
	case r.Code == 1 && r.started && early:
		return "dropped in Go's start"
	case r.Code == 1 && r.started && signal == syscall.SIGUSR1 && !r.child:
		return "dropped before the fork"
	}
	t.Errorf("got %+v, want the signal to end envoy-wait or the app", r)
	return "lost"
}

// logged returns the times of the first line and of the last, or zero without a log.
// Signals are caught before the first line, and execve comes after the last.
func (r round) logged() (first, last time.Time) {
	for text := range strings.Lines(r.Stderr) {
		var line struct{ Time time.Time }
		if json.Unmarshal([]byte(text), &line) == nil && first.IsZero() {
			first = line.Time
		}
		last = line.Time
	}
	return first, last
}
