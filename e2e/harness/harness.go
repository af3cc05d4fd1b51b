//go:build linux

// Package harness runs the real binary in tests: real processes, real sockets,
// and handshakes instead of sleeps.
package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Patience bounds each wait of a test. It is long, since a machine may be very busy.
const Patience = 60 * time.Second

// Root is the directory of the repository.
func Root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

// CopySources copies the sources of the binary, and returns the directory.
func CopySources(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"Makefile", "go.mod", "go.sum", "main.go", "exec", "internal", "probe"} {
		Must(t, "cp", "-r", filepath.Join(Root(), name), dir)
	}
	return dir
}

var build = sync.OnceValues(func() ([]byte, error) {
	return exec.Command("make", "-s", "-C", Root(), "build").CombinedOutput()
})

// Binary builds envoy-wait with the flags of a release, once, and returns its path.
func Binary(t testing.TB) string {
	t.Helper()
	if out, err := build(); err != nil {
		t.Fatalf("make build: %v\n%s", err, out)
	}
	return filepath.Join(Root(), "bin", "envoy-wait")
}

// ExampleApp builds the app of the examples, once, and returns its path.
func ExampleApp(t testing.TB) string { t.Helper(); return exampleApp(t) }

// SidecarProgram builds e2e/sidecar/cmd, once, and returns its path.
func SidecarProgram(t testing.TB) string { t.Helper(); return sidecarProgram(t) }

var (
	exampleApp     = program("example-app", "./examples/app")
	sidecarProgram = program("sidecar", "./e2e/sidecar/cmd")
)

// program returns a function that builds a static program into bin, once, and returns its path.
func program(name, source string) func(testing.TB) string {
	path := filepath.Join(Root(), "bin", name)
	build := sync.OnceValues(func() ([]byte, error) {
		cmd := exec.Command("go", "build", "-o", path, source)
		cmd.Dir, cmd.Env = Root(), Env("CGO_ENABLED=0")
		return cmd.CombinedOutput()
	})
	return func(t testing.TB) string {
		t.Helper()
		if out, err := build(); err != nil {
			t.Fatalf("go build %s: %v\n%s", source, err, out)
		}
		return path
	}
}

// Version is the newest version in the changelog with a date, or the first that will get one.
var Version = sync.OnceValue(func() string {
	text, err := os.ReadFile(filepath.Join(Root(), "CHANGELOG.md"))
	for _, date := range []string{`\d{4}-\d\d-\d\d`, "Unreleased"} {
		if newest := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\] - ` + date + `$`).FindSubmatch(text); newest != nil {
			return string(newest[1])
		}
	}
	panic(fmt.Sprintf("CHANGELOG.md has no version (%v)", err))
})

// Need skips the test unless ok. With CI=true it fails instead.
func Need(t testing.TB, ok bool, reason string) {
	t.Helper()
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatalf("must not be skipped in CI: %s", reason)
	default:
		t.Skip(reason)
	}
}

// NeedRoot is Need for namespaces, mounts and iptables.
func NeedRoot(t testing.TB) {
	t.Helper()
	Need(t, os.Getuid() == 0 && runtime.GOOS == "linux", "needs root on Linux")
}

// NeedTools is Need for programs in PATH.
func NeedTools(t testing.TB, names ...string) {
	t.Helper()
	for _, name := range names {
		_, err := exec.LookPath(name)
		Need(t, err == nil, "needs "+name)
	}
}

// Until waits for condition.
func Until(t testing.TB, what string, condition func() bool, details ...func() string) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !condition(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			text := ""
			for _, detail := range details {
				text += "\n" + detail()
			}
			t.Fatalf("got nothing in %v, want %s%s", Patience, what, text)
		}
	}
}

// Env is the environment of this process without variables of envoy-wait, and with more.
func Env(more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "ENVOY_WAIT_") })
	return append(env, more...)
}
