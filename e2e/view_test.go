//go:build linux

package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// views are commands that print what an app sees. They are programs of coreutils: a
// shell or a Go program would change some of it.
var views = map[string][]string{
	"status":      {"cat", "/proc/self/status"},
	"stat":        {"cat", "/proc/self/stat"},
	"limits":      {"cat", "/proc/self/limits"},
	"arguments":   {"cat", "/proc/self/cmdline"},
	"environment": {"cat", "/proc/self/environ"},
	"directory":   {"readlink", "/proc/self/cwd"},
	"descriptors": {"ls", "-l", "--time-style=+", "/proc/self/fd"},
	"oom score":   {"cat", "/proc/self/oom_score_adj"},
	"cgroup":      {"cat", "/proc/self/cgroup"},
	"namespaces":  {"readlink", "/proc/self/ns/pid", "/proc/self/ns/net", "/proc/self/ns/mnt"},
}

// volatile are the lines that differ between any two processes.
var volatile = regexp.MustCompile(strings.Join([]string{
	`(?m)^(Vm|Rss|Hugetlb)\w+:.*\n`, `^(non)?voluntary_ctxt_switches:.*\n`, `^Cpus_allowed.*\n`,
	`^(Speculation|THP_enabled|untag_mask|x86_).*\n`, `^SigQ:.*\n`,
}, "|(?m)"))

// start is a way to start a command, both directly and through envoy-wait.
type start struct {
	name string
	// wrapper comes before the command, and execs it.
	wrapper []string
	// The exceptions that the README names: bits that the Go runtime clears in a mask
	// of the status, and words that it puts into a view.
	loses   map[string]uint64
	becomes map[string]string
}

func TestTheAppsView(t *testing.T) {
	harness.NeedTools(t, "env", "cat", "ls", "readlink", "sh")
	sh := func(script string) []string { return []string{"sh", "-c", script + `; exec "$@"`, "sh"} }
	for _, s := range []start{
		{name: "as it is"},
		{name: "with a soft NOFILE below the hard one", wrapper: sh("ulimit -Sn 333")},
		{name: "with other limits", wrapper: sh("ulimit -c 0; ulimit -Sn 99; ulimit -Su 4000; ulimit -Ss 4096")},
		{name: "with INT and HUP ignored", wrapper: sh(`trap "" INT HUP`)},
		{name: "with USR1 blocked", wrapper: []string{"env", "--block-signal=USR1"}},
		{name: "with a umask and a directory", wrapper: sh("umask 027; cd /")},
		{name: "with more descriptors", wrapper: sh("exec 7</dev/null 9>/dev/null")},
		// Go's runtime changes these.
		{name: "with USR1 and PIPE ignored", wrapper: sh(`trap "" USR1 PIPE`),
			loses: map[string]uint64{"SigIgn": bit(syscall.SIGUSR1) | bit(syscall.SIGPIPE)}},
		{name: "with TERM blocked", wrapper: []string{"env", "--block-signal=TERM"},
			loses: map[string]uint64{"SigBlk": bit(syscall.SIGTERM)}},
		{name: "with stdin closed", wrapper: sh("exec 0<&-"),
			becomes: map[string]string{"descriptors": "0 -> /dev/null"}},
	} {
		t.Run(s.name, func(t *testing.T) {
			_, flags := job(t)
			execs := []string{harness.Binary(t), "--log-level=error", flags[0], flags[1], "--"}
			stays := append([]string{harness.Binary(t), "--log-level=error"}, append(flags, "--")...)
			for what, command := range views {
				direct := view(t, what, slices.Concat(s.wrapper, command), false)
				for how, wrapper := range map[string][]string{"through envoy-wait": execs, "under envoy-wait": stays} {
					wrapped := view(t, what, slices.Concat(s.wrapper, wrapper, command), how == "under envoy-wait")
					if to, ok := s.becomes[what]; ok {
						harness.WantIn(t, wrapped, to)
						continue
					}
					expected := direct
					for mask, lost := range s.loses {
						expected = withoutBits(t, expected, mask, lost)
					}
					if wrapped != expected {
						t.Errorf("%s, %s: got\n%s\nwant, as with a direct start,\n%s", what, how, wrapped, expected)
					}
				}
			}
		})
	}
}

// The parent death signal stays set. It belongs to the first thread (PR_SET_PDEATHSIG in prctl(2)).
func TestParentDeathSignal(t *testing.T) {
	harness.NeedTools(t, "setpriv")
	command := []string{"--pdeathsig", "TERM", harness.Binary(t), "--disabled", "--", "setpriv", "--dump"}
	harness.WantIn(t, harness.Run(t, "setpriv", command...).WantCode(t, 0).Stdout, "Parent death signal: TERM")
}

// bit is the bit of a signal in the masks of /proc/PID/status.
func bit(signal syscall.Signal) uint64 { return 1 << (signal - 1) }

// withoutBits clears bits of a mask, all of which must be set. Other bits may be set
// by whoever runs the tests.
func withoutBits(t *testing.T, status, mask string, bits uint64) string {
	t.Helper()
	line := regexp.MustCompile(mask + `:\t([0-9a-f]+)`)
	return line.ReplaceAllStringFunc(status, func(found string) string {
		set, err := strconv.ParseUint(line.FindStringSubmatch(found)[1], 16, 64)
		if err != nil || set&bits != bits {
			t.Errorf("the start is wrong: got %q (%v), want all of %#x in it", found, err, bits)
		}
		return fmt.Sprintf("%s:\t%016x", mask, set&^bits)
	})
}

// view returns what a command prints, without what differs from run to run. It checks
// PID, parent, group and session itself. A supervised command has a PID of its own, and
// the process that the test starts as its parent.
func view(t *testing.T, what string, argv []string, supervised bool) string {
	t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "A=1", "EMPTY=", "B=two words"}
	cmd.Dir = "/usr"
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	stderr, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stderr.Close() }()
	cmd.Stdin, cmd.Stderr = null, stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := harness.Start(t, cmd)
	r := p.Result().WantCode(t, 0)
	pid, parent := p.Process.Pid, os.Getpid()
	out := r.Stdout
	if supervised {
		parent = pid
		if found := regexp.MustCompile(`(?m)^Pid:\t(\d+)$|^(\d+) \(cat\)|/proc/(\d+)/fd`).FindStringSubmatch(out); found != nil {
			pid, _ = strconv.Atoi(found[1] + found[2] + found[3])
		}
	}
	switch what {
	case "status":
		harness.WantIn(t, out, fmt.Sprintf("Pid:\t%d\n", pid), fmt.Sprintf("PPid:\t%d\n", parent))
		out = strings.Replace(out, fmt.Sprintf("PPid:\t%d\n", parent), "PPid:\tPARENT\n", 1)
	case "stat":
		session, err := unix.Getsid(0)
		if err != nil {
			t.Fatal(err)
		}
		harness.WantIn(t, out, fmt.Sprintf("%d (cat) R %d %d %d ", pid, parent, pid, session))
		fields := strings.Fields(out)[:8] // the rest is memory and times
		fields[3] = "PARENT"
		out = strings.Join(fields, " ")
	}
	out = regexp.MustCompile(fmt.Sprintf(`\b%d\b`, pid)).ReplaceAllString(out, "PID")
	out = regexp.MustCompile(`pipe:\[\d+\]`).ReplaceAllString(out, "pipe")
	out = strings.ReplaceAll(out, stderr.Name(), "STDERR")
	return volatile.ReplaceAllString(out, "")
}

// The app gets each byte of stdin.
func TestStdin(t *testing.T) {
	port := harness.NewPort(t)
	cmd := envoyWait(t, "--url", port.URL(), "--", "sha256sum")
	stdin := harness.Stdin(t, cmd)
	p := harness.Start(t, cmd)
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	go func() {
		_, _ = io.Copy(stdin, bytes.NewReader(content)) // until the app has read it
		_ = stdin.Close()
	}()
	p.Await("connection refused")
	port.Sidecar(true)
	p.Result().Want(t, 0, fmt.Sprintf("%x  -\n", sha256.Sum256(content)))
}
