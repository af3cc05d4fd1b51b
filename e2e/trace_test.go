//go:build linux

package e2e

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// TestTrace lists all files that are opened, all connections and all writes of whole
// runs, up to the start of the app. SECURITY.md points at it.
func TestTrace(t *testing.T) {
	harness.NeedTools(t, "strace")
	truePath, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	port, s := harness.NewPort(t), sidecar.New(false)
	s.OnUnready = func() { s.SetReady(true) }
	go func() { _ = s.Serve(port.Listen()) }()
	t.Cleanup(s.Close)
	file := filepath.Join(t.TempDir(), "ready")
	harness.WriteFile(t, file, "ready", 0o600)

	hosts, script := filepath.Join(t.TempDir(), "hosts"), filepath.Join(t.TempDir(), "script")
	harness.WriteFile(t, hosts, "127.0.0.1 shop\n", 0o644)
	harness.WriteFile(t, script, "#!/nonexistent\n", 0o755)
	installed := filepath.Join(t.TempDir(), "envoy-wait")
	secure := harness.TLSServer(t, nil)
	for _, test := range []struct {
		name   string
		before []string
		args   []string
		want   []string
		root   bool
		alone  bool // in a network of its own, with an agent of Istio's that is not ready
	}{
		{name: "503, then 200", args: []string{"--url", port.URL(), "--", "true"},
			want: []string{"connect " + port.Address, "execve " + truePath, "open /dev/tty", "open " + truePath, "write socket", "write stderr"}},
		{name: "Istio's preset", alone: true, args: []string{"--timeout", "1s", "--", "true"},
			want: []string{"connect 127.0.0.1:15020", "connect 127.0.0.1:15021", "connect [::1]:15021", "execve " + truePath, "open /dev/tty", "open " + truePath, "write socket", "write stderr"}},
		{name: "ready at once", args: []string{"--url", "file://" + file, "--", "true"},
			want: []string{"execve " + truePath, "open " + truePath, "write stderr"}},
		{name: "disabled, and silent", args: []string{"--disabled", "--log-level", "error", "--", "true"},
			want: []string{"execve " + truePath, "open " + truePath}},
		{name: "a host name", root: true, before: harness.InMounts("mount --bind " + hosts + " /etc/hosts"),
			args: []string{"--url", strings.Replace(port.URL(), "127.0.0.1", "shop", 1), "--", "true"},
			want: []string{"connect " + port.Address, "execve " + truePath, "open /dev/tty", "open /etc/hosts", "open /etc/nsswitch.conf",
				"open /etc/resolv.conf", "open " + truePath, "write socket", "write stderr"}},
		{name: "a Job", args: []string{"--disabled", "--quit-url", port.QuitURL(), "--", "true"},
			want: []string{"connect " + port.Address, "execve " + truePath, "open /dev/null", "open /proc/self/fd", "open " + truePath, "write socket", "write stderr"}},
		{name: "https", args: []string{"--url", secure.URL, "--timeout", "1s", "--", "true"},
			want: []string{"connect " + secure.Listener.Addr().String(), "execve " + truePath, "open /dev/tty", "open " + truePath, "open certificates", "write socket", "write stderr"}},
		{name: "a missing interpreter", args: []string{"--disabled", "--", script},
			want: []string{"open " + script, "write stderr"}},
		{name: "--install", args: []string{"--install", installed},
			want: []string{"open /proc/self/exe", "open " + filepath.Dir(installed), "open temporary", "rename", "write temporary"}},
		{name: "--help", args: []string{"--help"}, want: []string{"write stdout"}},
		{name: "--version", args: []string{"--version"}, want: []string{"write stdout"}},
		{name: "not ready in time", root: true, before: harness.InMounts("mount -t tmpfs tmpfs /dev; : >/dev/termination-log"),
			args: []string{"--url", "http://127.0.0.1:1/", "--timeout", "1s", "--on-timeout", "fail", "--", "true"},
			want: []string{"connect 127.0.0.1:1", "open /dev/termination-log", "open /dev/tty", "open " + truePath, "write /dev/termination-log", "write stderr"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.root {
				harness.NeedRoot(t)
			}
			command := append([]string{harness.Binary(t)}, test.args...)
			var got []string
			if test.alone {
				harness.InNetwork(t, func() {
					harness.PortAt(t, 15020).Sidecar(false)
					got = traced(t, nil, command)
				})
			} else {
				got = traced(t, test.before, command)
			}
			const tty = "open /dev/tty" // comes also where the first attempt takes more than 3 ms
			if !slices.Contains(test.want, tty) {
				got = slices.DeleteFunc(got, func(event string) bool { return event == tty })
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
	t.Run("another program", func(t *testing.T) { // shows that this test can fail
		if got := traced(t, nil, []string{"cat", file}); !slices.Contains(got, "open "+file) {
			t.Errorf("got %q, want open %s", got, file)
		}
	})
}

// traced runs a program below strace, and returns its events, sorted, each once.
func traced(t *testing.T, before, program []string) []string {
	t.Helper()
	prefix := filepath.Join(t.TempDir(), "trace")
	args := append(slices.Clone(before), "strace", "-ff", "-o", prefix, "-qq", "-yy", "-s", "0", "--signal=none",
		"-e", "trace=%file,%network,write,writev,pwrite64,pwritev,sendfile,splice,copy_file_range,io_uring_setup", "--")
	args = append(args, program...)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = harness.Env()
	harness.Start(t, cmd).Result()

	threads, err := filepath.Glob(prefix + ".*")
	if err != nil || len(threads) == 0 {
		t.Fatalf("got no trace (%v), want one", err)
	}
	var events []string
	for _, thread := range threads {
		text := harness.ReadFile(t, thread)
		first, rest, _ := strings.Cut(text, "\n")
		if strings.HasPrefix(first, `execve("`) && strings.Contains(first, filepath.Base(program[0])+`", [`) {
			text = rest // strace's start of the program
		}
		for line := range strings.Lines(text) {
			event := eventOf(line)
			if event != "" {
				events = append(events, event)
			}
			if strings.HasPrefix(event, "execve ") && !strings.Contains(event, " = -1") {
				break // the rest is the app's
			}
		}
	}
	slices.Sort(events)
	return slices.Compact(events)
}

// Go's runtime reads these as it starts: the size of huge pages, and the limits of the
// control group.
var ofGo = regexp.MustCompile(`^open (/sys/kernel/mm/transparent_hugepage/hpage_pmd_size|/proc/self/(cgroup|mountinfo)|/sys/fs/cgroup/.*)$`)

// These calls change nothing, and send nothing.
var harmless = regexp.MustCompile(`^(newfstatat|fstatat64|stat|stat64|statx|lstat|access|faccessat2?|readlinkat?|getcwd|socket|[gs]etsockopt|getpeername|getsockname|statfs)\(`)

// kinds turn a line of strace into an event. The first that fits counts.
var kinds = []struct {
	pattern *regexp.Regexp
	event   string
}{
	{regexp.MustCompile(`^connect\(.*sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]*)"\)`), "connect $2:$1"},
	{regexp.MustCompile(`^connect\(.*sin6_port=htons\((\d+)\).*inet_pton\(AF_INET6, "([^"]*)"`), "connect [$2]:$1"},
	{regexp.MustCompile(`^open(?:at)?\((?:AT_FDCWD[^,]*, )?"/etc/(?:ssl|pki)/`), "open certificates"},
	{regexp.MustCompile(`^open(?:at)?\((?:AT_FDCWD[^,]*, )?"[^"]*/\.envoy-wait-\d+"`), "open temporary"},
	{regexp.MustCompile(`^(?:write|sendfile|splice|copy_file_range)\(.*/\.envoy-wait-\d+>`), "write temporary"},
	{regexp.MustCompile(`^open(?:at)?\((?:AT_FDCWD[^,]*, )?"([^"]*)"`), "open $1"},
	{regexp.MustCompile(`^unlinkat\(.*/\.envoy-wait-\d+", .* = -1 ENOENT`), ""}, // it was renamed
	{regexp.MustCompile(`^rename(?:at2?)?\([^"]*"[^"]*/\.envoy-wait-\d+", [^"]*"`), "rename"},
	{regexp.MustCompile(`^write\(1<`), "write stdout"},
	{regexp.MustCompile(`^write\(\d+<pipe:`), "write stderr"}, // under a descriptor above 2
	{regexp.MustCompile(`^execve\("([^"]*)".*( = -1 \w+)`), "execve $1$2"},
	{regexp.MustCompile(`^write\(\d+<(?:TCP|socket)`), "write socket"},
	{regexp.MustCompile(`^write\(\d+<(/[^>]*)>`), "write $1"},
	{regexp.MustCompile(`^write\(\d+<anon_inode:\[eventfd\]>`), ""},                    // wakes a thread of Go's
	{regexp.MustCompile(`^execve\("([^"]*)".*( = 0|<detached \.\.\.>)$`), "execve $1"}, // detached: by another thread than the first
}

// eventOf turns a line of strace into an event. An unknown line is its own event, a
// harmless one is "".
func eventOf(line string) string {
	line = strings.TrimSpace(line)
	event := line
	for _, kind := range kinds {
		if m := kind.pattern.FindStringSubmatchIndex(line); m != nil {
			event = string(kind.pattern.ExpandString(nil, kind.event, line, m))
			break
		}
	}
	// "???" is a thread that execve has ended before strace could look.
	if ofGo.MatchString(event) || harmless.MatchString(event) || strings.HasPrefix(event, "+++") || strings.HasPrefix(event, "???( <detached") {
		return ""
	}
	return event
}
