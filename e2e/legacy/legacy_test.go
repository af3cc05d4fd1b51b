//go:build linux

package legacy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/machine"
)

func TestMain(m *testing.M) { machine.Main(m) }

const daemon = "/usr/local/bin/shop"

var legacyInit = filepath.Join(harness.Root(), "examples", "legacy-init")

// legacy is a machine whose daemon is started by the example's init script.
type legacy struct {
	*machine.Machine
	shell []string
}

// newLegacy installs the examples, envoy-wait and the examples' app as they are
// meant to be, in file systems that only this machine sees.
func newLegacy(t *testing.T, shell ...string) *legacy {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedTools(t, shell[0])
	l := &legacy{Machine: machine.New(t), shell: shell}
	l.Must("sh", "-ec", `
		for d in /usr/local/bin /etc/init.d /etc/default /etc/systemd/system /run /var/log; do
			mkdir -p $d; mount -t tmpfs tmpfs $d
		done
		install "$1" /usr/local/bin/envoy-wait
		install "$2" `+daemon+`
		install "$3/shop" /etc/init.d/
		install -m 644 "$3/shop.service" /etc/systemd/system/`, "sh", harness.Binary(t), harness.ExampleApp(t), legacyInit)
	if shell[0] == "busybox" {
		// Its own tools as well, as in an image that has no others. Debian's lacks flock.
		l.Must("sh", "-ec", "for f in id rm setsid sleep tr; do ln -s $(which busybox) /usr/local/bin/$f; done")
	}
	return l
}

// eachShell runs test under both: their ways differ where POSIX is silent.
func eachShell(t *testing.T, test func(*testing.T, *legacy)) {
	for _, shell := range [][]string{{"dash"}, {"busybox", "sh"}} {
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			test(t, newLegacy(t, shell...))
		})
	}
}

// action is what an administrator types.
func (l *legacy) action(action string) *exec.Cmd {
	return l.Command(l.shell[0], append(l.shell[1:], "/etc/init.d/shop", action)...)
}

// do must end with code.
func (l *legacy) do(action string, code int) harness.Result {
	l.T.Helper()
	r := l.Start(l.action(action)).Result()
	if r.Code != code {
		l.T.Errorf("%s: exit status %d, want %d: %+v", action, r.Code, code, r)
	}
	return r
}

// daemon is the process number of the one daemon there is, or "".
func (l *legacy) daemon() string {
	l.T.Helper()
	found := l.Must("sh", "-c", `for p in /proc/[0-9]*; do
		[ "$(readlink $p/exe)" != `+daemon+` ] || echo ${p#/proc/}; done`)
	if strings.Count(found, "\n") > 1 {
		l.T.Errorf("more than one daemon: %q", found)
	}
	return strings.TrimSpace(found)
}

// started checks that a daemon runs which is not the one before, and that the
// pid file names it.
func (l *legacy) started(before string) string {
	l.T.Helper()
	pid, file := l.daemon(), strings.TrimSpace(l.Must("cat", "/run/shop.pid"))
	if pid == "" || pid == before || pid != file {
		l.T.Errorf("daemon %q, before %q, pid file %q", pid, before, file)
	}
	return pid
}

// stopped checks that there is no daemon.
func (l *legacy) stopped() {
	l.T.Helper()
	if pid := l.daemon(); pid != "" {
		l.T.Errorf("the daemon runs, as %s", pid)
	}
	l.do("status", 3)
}

func (l *legacy) write(path, text string) {
	l.T.Helper()
	l.MustRead(text, "sh", "-c", `cat >"$1"`, "sh", path)
}

// crash kills the daemon. The kernel ends it some moments after kill(2).
func (l *legacy) crash(pid string) {
	l.T.Helper()
	l.Must("kill", "-KILL", pid)
	harness.Until(l.T, "the daemon is gone", func() bool { return l.daemon() == "" })
}

func (l *legacy) readySidecar() {
	l.T.Helper()
	s := l.StartSidecar()
	s.Listen()
	s.BecomeReady()
}

func TestInitScript(t *testing.T) {
	eachShell(t, func(t *testing.T, l *legacy) {
		l.readySidecar()
		l.stopped()
		l.do("stop", 0)
		l.do("try-restart", 0)
		l.stopped()
		l.do("start", 0)
		first := l.started("")
		if session := l.Must("cut", "-d ", "-f6", "/proc/"+first+"/stat"); session != first+"\n" {
			t.Errorf("the daemon %s is in the session %s", first, session)
		}
		l.do("status", 0)
		l.do("start", 0)
		if again := l.daemon(); again != first {
			t.Errorf("started twice: %q, then %q", first, again)
		}
		l.do("restart", 0)
		second := l.started(first)
		l.do("try-restart", 0)
		l.started(second)
		l.do("stop", 0)
		l.stopped()
		if log := l.Must("cat", "/var/log/shop.log"); strings.Count(log, "app: terminated, bye") != 3 {
			t.Errorf("the daemon's log: %s", log)
		}
	})
}

// The gate: no daemon without a sidecar, and none before it is ready.
func TestInitScriptWaits(t *testing.T) {
	eachShell(t, func(t *testing.T, l *legacy) {
		l.write("/etc/default/shop", "SIDECAR_TIMEOUT=300ms\n")
		if r := l.do("start", 1); !strings.Contains(r.Stderr, "not ready after 3") {
			t.Errorf("%+v", r)
		}
		l.stopped()

		// With the script's own timeout, and somebody impatient.
		l.Must("rm", "/etc/default/shop")
		waiting := l.Start(l.action("start"))
		waiting.Await("connection refused")
		again := l.Start(l.action("start"))
		s := l.StartSidecar()
		s.Listen()
		waiting.Await("status 503")
		l.stopped()
		harness.WantIn(t, l.Must("sh", "-c", `cat /proc/[0-9]*/cmdline | tr '\0' ' '`), "envoy-wait --timeout 60s --on-timeout fail ")
		s.BecomeReady()
		waiting.Result().WantCode(t, 0)
		if r := again.Result(); r.Code != 0 || !strings.Contains(r.Stdout, "running already") || r.Stderr != "" {
			t.Errorf("started twice: %+v", r)
		}
		l.started("")
	})
}

// A crash leaves the pid file, and the number may go to another process.
func TestInitScriptStalePidFile(t *testing.T) {
	eachShell(t, func(t *testing.T, l *legacy) {
		l.readySidecar()
		l.do("start", 0)
		first := l.started("")
		l.crash(first)
		for _, stale := range []string{first + "\n", "1\n", "", "none\n"} {
			l.write("/run/shop.pid", stale)
			if r := l.do("status", 1); r.Stderr != "" {
				t.Errorf("%q: %+v", stale, r)
			}
			l.do("start", 0)
			l.started(first)
			l.crash(l.daemon())
		}
		l.write("/run/shop.pid", "1\n")
		l.do("stop", 0)
		l.stopped()
	})
}

// What an init script answers where it can do nothing.
func TestInitScriptRefuses(t *testing.T) {
	eachShell(t, func(t *testing.T, l *legacy) {
		l.do("", 2)
		l.do("begin", 2)
		l.do("reload", 3)
		asUser := append([]string{"--setuid", "1000", "--"}, append(l.shell, "/etc/init.d/shop", "start")...)
		if r := l.Run("nsenter", asUser...); r.Code != 4 {
			t.Errorf("as another user: %+v", r)
		}
		l.write("/etc/default/shop", "SIDECAR_TIMEOUT=60\n")
		if r := l.do("start", 1); !strings.Contains(r.Stderr, `envoy-wait: --timeout: "60": expected `) {
			t.Errorf("%+v", r)
		}
		l.Must("rm", "/etc/default/shop")
		l.readySidecar()
		l.Must("rm", daemon)
		l.do("start", 5)
		l.write(daemon, "#!/bin/sh\nexit 1\n")
		l.Must("chmod", "755", daemon)
		l.do("start", 1) // it ends at once
		l.stopped()
		l.Must("rm", "/usr/local/bin/envoy-wait")
		l.do("start", 5)
	})
}

func TestSystemdUnit(t *testing.T) {
	harness.NeedTools(t, "systemd-analyze")
	l := newLegacy(t, "sh")
	verify := func() harness.Result {
		return l.Run("systemd-analyze", "verify", "--man=no", "/etc/systemd/system/shop.service")
	}
	if r := verify(); r.Code != 0 || r.Stdout+r.Stderr != "" {
		t.Errorf("%+v", r)
	}
	unit, err := os.ReadFile(filepath.Join(legacyInit, "shop.service"))
	if err != nil {
		t.Fatal(err)
	}
	wait, limit := duration(t, string(unit), ` --timeout (\S+)`), duration(t, string(unit), `(?m)^TimeoutStartSec=(\S+)$`)
	if limit < wait+10*time.Second {
		t.Errorf("systemd gives up after %v, envoy-wait after %v", limit, wait)
	}
	// The line itself works, as systemd would run it.
	line := regexp.MustCompile(`(?m)^ExecStartPre=(.+)$`).FindStringSubmatch(string(unit))
	if line == nil {
		t.Fatal("no ExecStartPre")
	}
	l.readySidecar()
	args := strings.Fields(line[1])
	if r := l.Run(args[0], args[1:]...); r.Code != 0 {
		t.Errorf("%+v", r)
	}
	// verify can fail.
	l.Must("rm", daemon)
	if r := verify(); r.Code == 0 && r.Stderr == "" {
		t.Errorf("a unit without its daemon passes: %+v", r)
	}
}

func duration(t *testing.T, text, pattern string) time.Duration {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("no %s", pattern)
	}
	d, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}
