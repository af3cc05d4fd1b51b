//go:build linux

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// setUp prepares a fault of the process.
type setUp = func(*testing.T, *endpoint, *start)

// shell runs a script in front of envoy-wait.
func shell(script string) setUp {
	return func(_ *testing.T, _ *endpoint, how *start) {
		how.wrapper = []string{"sh", "-ec", script + `; exec "$@"`, "sh"}
	}
}

// inMounts is shell in a mount namespace of its own.
func inMounts(script string) setUp {
	return func(t *testing.T, _ *endpoint, how *start) {
		harness.NeedRoot(t)
		harness.NeedTools(t, "unshare", "mount")
		how.wrapper = harness.InMounts(script)
	}
}

func stderr(open func(*testing.T) *os.File) setUp {
	return func(t *testing.T, _ *endpoint, how *start) { how.stderr = open(t) }
}

// hide puts an empty directory over another.
func hide(dirs ...string) setUp {
	script := ":"
	for _, dir := range dirs {
		script += "; mount -t tmpfs none " + dir
	}
	return inMounts(script)
}

func TestProcessFaults(t *testing.T) {
	check(t, "process", []fault{
		{name: "stdin closed", setUp: shell("exec 0<&-")},
		{name: "stdout closed", setUp: shell("exec 1>&-")},
		{name: "stderr closed", setUp: shell("exec 2>&-")},
		{name: "stdin, stdout and stderr closed", setUp: shell("exec 0<&- 1>&- 2>&-")},
		{name: "stderr is a full pipe that nobody reads", setUp: stderr(func(t *testing.T) *os.File {
			_, w := harness.FullPipe(t)
			return w
		})},
		{name: "stderr is a pipe whose reader is gone", setUp: stderr(func(t *testing.T) *os.File {
			r, w := harness.Pipe(t)
			_ = r.Close()
			return w
		})},
		{name: "stderr is a terminal that hung up", setUp: stderr(func(t *testing.T) *os.File {
			master, slave := harness.Terminal(t)
			_ = master.Close()
			t.Cleanup(func() { _ = slave.Close() })
			return slave
		})},
		{name: "stderr is /dev/full", setUp: shell("exec 2>/dev/full")},
		{name: "stderr is on a disk that is full", setUp: inMounts(
			`d=$(mktemp -d); mount -t tmpfs -o size=4k none "$d"; head -c 4096 /dev/zero >"$d/log"; exec 2>>"$d/log"`)},
		{name: "stderr is a file that may not grow", setUp: shell(`exec 2>"$(mktemp)"; ulimit -f 0`)},
		{name: "soft NOFILE of 8", setUp: shell("ulimit -Sn 8")},
		{name: "soft NOFILE of 3", setUp: shell("ulimit -Sn 3")},
		{name: "hard NOFILE of 16", setUp: shell("ulimit -n 16")},
		{name: "RLIMIT_AS of 1.5 GB", setUp: shell("ulimit -v 1500000")},
		{name: "RLIMIT_STACK of 64 KB", setUp: shell("ulimit -s 64")},
		{name: "RLIMIT_MEMLOCK of 0", setUp: shell("ulimit -l 0")},
		{name: "a memory cgroup of 24 MiB", setUp: func(t *testing.T, _ *endpoint, how *start) {
			how.wrapper = inCgroup(t, "memory", map[string]string{"memory.limit_in_bytes": "25165824"}, map[string]string{"memory.max": "25165824"})
		}},
		{name: "a pids cgroup of 16", setUp: func(t *testing.T, _ *endpoint, how *start) {
			limit := map[string]string{"pids.max": "16"}
			how.wrapper = inCgroup(t, "pids", limit, limit)
		}},
		{name: "CPU throttled to 1 %", slack: 5 * time.Second, setUp: func(t *testing.T, _ *endpoint, how *start) {
			how.wrapper = inCgroup(t, "cpu", map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "1000"}, map[string]string{"cpu.max": "1000 100000"})
		}},
		{name: "no /proc", setUp: hide("/proc")},
		{name: "no /etc", setUp: hide("/etc")},
		{name: "no /dev", setUp: hide("/dev")},
		{name: "no /proc, /sys, /etc, /dev, /run, /var", setUp: hide("/sys", "/etc", "/dev", "/run", "/var", "/proc")},
		{name: "read-only root", setUp: inMounts("mount -o remount,ro,bind /; if touch /envoy-wait-test 2>/dev/null; then exit 98; fi")},
		{name: "empty environment", setUp: func(_ *testing.T, _ *endpoint, how *start) {
			how.wrapper = []string{"env", "-i"}
		}},
		{name: "environment of 1 MB", setUp: func(_ *testing.T, _ *endpoint, how *start) {
			for i := range 16 {
				how.env = append(how.env, fmt.Sprintf("FILL_%d=%s", i, strings.Repeat("x", 1<<16)))
			}
		}},
		{name: "environment of 20,000 variables", setUp: func(_ *testing.T, _ *endpoint, how *start) {
			for i := range 20000 {
				how.env = append(how.env, fmt.Sprintf("SERVICE_%d_PORT=1", i))
			}
		}},
		{name: "a working directory that is gone", setUp: shell(`cd "$(mktemp -d)"; rmdir "$PWD"`)},
		{name: "uid 65532 without capabilities", setUp: func(t *testing.T, _ *endpoint, how *start) {
			harness.NeedRoot(t)
			harness.NeedTools(t, "setpriv")
			how.wrapper = strings.Fields("setpriv --reuid=65532 --regid=65532 --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs")
		}},
		{name: "no network but for loopback that is down", setUp: func(t *testing.T, _ *endpoint, how *start) {
			if how.ready {
				return // an endpoint that is ready cannot be reached
			}
			harness.NeedRoot(t)
			harness.NeedTools(t, "unshare")
			how.wrapper = []string{"unshare", "--net"}
		}},
		{name: "stopped for 5 s, then continued", setUp: func(_ *testing.T, _ *endpoint, how *start) { how.during = stopped }},
		{name: "ptrace attached", setUp: func(_ *testing.T, _ *endpoint, how *start) { how.during = traced }},
	}, true)
}

// stopped stops the process during its wait. That time counts for the deadline.
func stopped(p *running) time.Duration {
	start := time.Now()
	p.Await("connection refused")
	if err := syscall.Kill(p.pid, syscall.SIGSTOP); err != nil {
		p.t.Error(err)
	}
	time.Sleep(5 * time.Second) // this is the fault
	if n := p.starts.Load(); n != 0 {
		p.t.Errorf("got %d starts while the process was stopped, want none", n)
	}
	if err := syscall.Kill(p.pid, syscall.SIGCONT); err != nil {
		p.t.Error(err)
	}
	return time.Since(start)
}

// traced attaches to the first thread, as a debugger does, until the process ends.
func traced(p *running) time.Duration {
	runtime.LockOSThread() // one thread is the tracer
	defer runtime.UnlockOSThread()
	p.Await("connection refused")
	if err := unix.PtraceSeize(p.pid); err != nil {
		harness.Need(p.t, false, fmt.Sprintf("needs ptrace: %v", err))
	}
	if err := unix.PtraceInterrupt(p.pid); err != nil {
		p.t.Error(err)
	}
	for stops := 0; ; stops++ {
		var status unix.WaitStatus
		if _, err := unix.Wait4(p.pid, &status, unix.WALL, nil); err != nil || !status.Stopped() {
			if stops == 0 {
				p.t.Errorf("got no stop of the traced process (%v), want one", err)
			}
			return 0
		}
		signal := 0
		if status>>16 == 0 { // not a stop by ptrace itself
			signal = int(status.StopSignal())
		}
		if err := unix.PtraceCont(p.pid, signal); err != nil && err != unix.ESRCH {
			p.t.Error(err)
			return 0
		}
	}
}

// inCgroup returns a wrapper that starts a command in a control group of its own, below
// that of the tests.
func inCgroup(t *testing.T, controller string, v1, v2 map[string]string) []string {
	t.Helper()
	harness.NeedRoot(t)
	parent, settings := "", v1
	content, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if parts[1] == controller {
			parent = filepath.Join("/sys/fs/cgroup", controller, parts[2])
		}
		if own := filepath.Join("/sys/fs/cgroup", parts[2]); parts[0] == "0" && parent == "" {
			if enabled, err := os.ReadFile(own + "/cgroup.subtree_control"); err == nil && strings.Contains(string(enabled), controller) {
				parent, settings = own, v2
			}
		}
	}
	// Not Need: whether a container has this depends on its host.
	if parent == "" {
		t.Skipf("no control group for %s below that of the tests", controller)
	}
	dir, err := os.MkdirTemp(parent, "envoy-wait-test-")
	if err != nil {
		t.Skipf("no control group for %s: %v", controller, err)
	}
	t.Cleanup(func() {
		harness.Until(t, "the control group is empty", func() bool { return os.Remove(dir) == nil })
	})
	for name, value := range settings {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(value), 0); err != nil {
			t.Skipf("no control group for %s: %v", controller, err)
		}
	}
	return []string{"sh", "-ec", `echo $$ >"$0/cgroup.procs"; exec "$@"`, dir}
}

// These limits stop the Go runtime before main today. With them the app starts, or the exit status is an error.
func TestLimits(t *testing.T) {
	for name, how := range map[string]setUp{
		"RLIMIT_AS of 0.6 GB":      shell("ulimit -v 600000"),
		"RLIMIT_DATA of 40 MB":     shell("ulimit -d 40000"),
		"hard NOFILE of 5":         shell("ulimit -n 5"),
		"a malformed GOMEMLIMIT":   shell("export GOMEMLIMIT=1Gb"),
		"stdin closed and no /dev": inMounts("mount -t tmpfs none /dev; exec 0<&-"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEndpoint(t, answer(genuine))
			s := &start{timeout: harness.Patience, env: harness.Env(), args: []string{"--url", e.url}}
			how(t, e, s)
			p := launch(t, e, s)
			r := p.result()
			t.Logf("exit status %d, signal %d: %.200s", r.Code, r.Signal, r.stderr)
			if started := r.starts == 1 && r.Code == appStatus; !started && (r.starts > 0 || r.Code == 0 || r.Code == appStatus) {
				t.Errorf("got %d starts and exit status %d, want the app's, or no start and an error", r.starts, r.Code)
			}
		})
	}
}
