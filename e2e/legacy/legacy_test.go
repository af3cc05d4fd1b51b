//go:build linux

package legacy

import (
	"fmt"
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

// newLegacy installs the examples, envoy-wait and the examples' app, in file systems of
// this machine alone.
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

// eachShell runs a test under two shells, which differ where POSIX is silent.
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
	return l.Start(l.action(action)).Result().WantCode(l.T, code)
}

// daemon is the process number of the one daemon there is, or "".
func (l *legacy) daemon() string {
	l.T.Helper()
	found := l.Must("sh", "-c", `for p in /proc/[0-9]*; do
		[ "$(readlink $p/exe)" != `+daemon+` ] || echo ${p#/proc/}; done`)
	if strings.Count(found, "\n") > 1 {
		l.T.Errorf("got the daemons %q, want at most one", found)
	}
	return strings.TrimSpace(found)
}

// started checks that a daemon runs, not the one before, and that the pid file has its
// number.
func (l *legacy) started(before string) string {
	l.T.Helper()
	pid, file := l.daemon(), strings.TrimSpace(l.Must("cat", "/run/shop.pid"))
	if pid == "" || pid == before || pid != file {
		l.T.Errorf("got the daemon %q and the pid file %q, want both to name one process, and not %q", pid, file, before)
	}
	return pid
}

// stopped checks that there is no daemon.
func (l *legacy) stopped() {
	l.T.Helper()
	if pid := l.daemon(); pid != "" {
		l.T.Errorf("got a daemon, as process %s, want none", pid)
	}
	l.do("status", 3)
}

func (l *legacy) write(path, text string) {
	l.T.Helper()
	l.MustRead(text, "sh", "-c", `cat >"$1"`, "sh", path)
}

// crash kills the daemon, and waits for its end.
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
			t.Errorf("got the session %s, want one of the daemon's own, %s", session, first)
		}
		l.do("status", 0)
		l.do("start", 0)
		harness.Want(t, "daemon after a second start", l.daemon(), first)
		l.do("restart", 0)
		second := l.started(first)
		l.do("try-restart", 0)
		l.started(second)
		l.do("stop", 0)
		l.stopped()
		harness.Want(t, "daemons that were terminated", strings.Count(l.Must("cat", "/var/log/shop.log"), "app: terminated, bye"), 3)
	})
}

// There is no daemon before the sidecar is ready.
func TestInitScriptWaits(t *testing.T) {
	eachShell(t, func(t *testing.T, l *legacy) {
		l.write("/etc/default/shop", "SIDECAR_TIMEOUT=300ms\n")
		harness.WantIn(t, l.do("start", 1).Stderr, "not ready after 3")
		l.stopped()

		// With the script's own timeout, and a second start meanwhile.
		l.Must("rm", "/etc/default/shop")
		waiting := l.Start(l.action("start"))
		waiting.Await("connection refused")
		again := l.Start(l.action("start"))
		s := l.StartSidecar()
		s.Listen()
		waiting.Await("status 503")
		l.stopped()
		harness.WantIn(t, l.Must("sh", "-c", `cat /proc/[0-9]*/cmdline | tr '\0' ' '`), "envoy-wait --timeout 60s --log-format text ")
		s.BecomeReady()
		waiting.Result().WantCode(t, 0)
		r := again.Result().WantCode(t, 0)
		harness.WantIn(t, r.Stdout, "running already")
		harness.Want(t, "stderr of a second start", r.Stderr, "")
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
			harness.Want(t, fmt.Sprintf("stderr where the pid file has %q", stale), l.do("status", 1).Stderr, "")
			l.do("start", 0)
			l.started(first)
			l.crash(l.daemon())
		}
		l.write("/run/shop.pid", "1\n")
		l.do("stop", 0)
		l.stopped()
	})
}

// The statuses of an action that the script refuses, or that fails.
func TestInitScriptRefuses(t *testing.T) {
	eachShell(t, func(t *testing.T, l *legacy) {
		l.do("", 2)
		l.do("begin", 2)
		l.do("reload", 3)
		asUser := append([]string{"--setuid", "1000", "--"}, append(l.shell, "/etc/init.d/shop", "start")...)
		l.Run("nsenter", asUser...).WantCode(t, 4)
		l.write("/etc/default/shop", "SIDECAR_TIMEOUT=60\n")
		harness.WantIn(t, l.do("start", 1).Stderr, `envoy-wait: --timeout: "60": expected `)
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
	harness.Want(t, "findings", verify().Want(t, 0, "").Stderr, "")
	unit, err := os.ReadFile(filepath.Join(legacyInit, "shop.service"))
	if err != nil {
		t.Fatal(err)
	}
	wait, limit := duration(t, string(unit), ` --timeout (\S+)`), duration(t, string(unit), `(?m)^TimeoutStartSec=(\S+)$`)
	if limit < wait+10*time.Second {
		t.Errorf("got TimeoutStartSec=%v, want 10s more than envoy-wait's timeout, %v", limit, wait)
	}
	// The line works as systemd runs it.
	line := regexp.MustCompile(`(?m)^ExecStartPre=(.+)$`).FindStringSubmatch(string(unit))
	if line == nil {
		t.Fatal("got no ExecStartPre, want one")
	}
	l.readySidecar()
	args := strings.Fields(line[1])
	l.Run(args[0], args[1:]...).WantCode(t, 0)
	// verify can fail.
	l.Must("rm", daemon)
	if r := verify(); r.Code == 0 && r.Stderr == "" {
		t.Errorf("got %+v, want a finding: the daemon is not installed", r)
	}
}

func duration(t *testing.T, text, pattern string) time.Duration {
	t.Helper()
	found := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if found == nil {
		t.Fatalf("got no %s, want one", pattern)
	}
	d, err := time.ParseDuration(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return d
}
