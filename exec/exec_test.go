//go:build linux

package exec

import (
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// files makes a directory with the files and their modes, and returns its path.
func files(t *testing.T, modes map[string]os.FileMode) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range modes {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if mode.IsDir() {
			if err := os.Mkdir(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, nil, mode); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLookPath(t *testing.T) {
	dir := files(t, map[string]os.FileMode{
		"a/app": 0o644, "b/app": 0o755, "a/denied": 0o644, "a/dir": os.ModeDir, "b/--help": 0o755,
	})
	t.Chdir(dir)
	path := "PATH=" + dir + "/missing:" + dir + "/a:" + dir + "/b"
	for _, test := range []struct {
		name, path, want string
		err              error
		notFound         bool
	}{
		{name: "app", path: path, want: dir + "/b/app"},
		{name: "--help", path: path, want: dir + "/b/--help"},
		{name: "./b/app", path: path, want: "./b/app"},
		{name: dir + "/b/app", path: "PATH=", want: dir + "/b/app"},
		{name: "app", path: "PATH=b", want: "b/app"},
		{name: "b/app", path: "NOPATH=", want: "b/app"},
		{name: "sh", path: "NOPATH=", want: "/bin/sh"},
		{name: "denied", path: path, err: syscall.EACCES},
		{name: "dir", path: path, err: syscall.EISDIR},
		{name: "a/denied", path: path, err: syscall.EACCES},
		{name: "a/dir", path: path, err: syscall.EISDIR},
		{name: "nowhere", path: path, err: ErrNotInPath, notFound: true},
		{name: "", path: path, err: ErrNotInPath, notFound: true},
		{name: "app", path: "PATH=", err: ErrNotInPath, notFound: true}, // not in the current directory, which this means
		{name: "a/nowhere", path: path, err: syscall.ENOENT, notFound: true},
		{name: "b/app/x", path: path, err: syscall.ENOTDIR},
	} {
		got, err := LookPath(test.name, []string{"X=PATH=/bin", test.path})
		var e *Error
		switch {
		case test.err == nil:
			if err != nil || got != test.want {
				t.Errorf("%q in %s: got %q, %v, want %q", test.name, test.path, got, err, test.want)
			}
		case !errors.As(err, &e) || !errors.Is(err, test.err) || e.NotFound != test.notFound:
			t.Errorf("%q in %s: got %q, %#v, want %v, not found %v", test.name, test.path, got, err, test.err, test.notFound)
		}
	}
}

func TestEmptyPathElementIsTheCurrentDirectory(t *testing.T) {
	t.Chdir(files(t, map[string]os.FileMode{"app": 0o755}))
	if got, err := LookPath("app", []string{"PATH=/nowhere:"}); got != "./app" || err != nil {
		t.Errorf("got %q, %v, want ./app", got, err)
	}
}

// What execve says, and what it means.
func TestBecomeFails(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct {
		name, content string
		mode          os.FileMode
		want          string // of the error
		notFound      bool
	}{
		{"loader", "\x7fELF", 0o755, "exec format error", false},
		{"noshebang", "echo hi\n", 0o755, "exec format error; built for another architecture, or a script without a #! line?", false},
		{"interpreter", "#!/no/such/sh -e\n", 0o755, `no such file or directory; the file is there, but its interpreter "/no/such/sh" is not in this image`, false},
		{"dos", "#!/bin/sh\r\necho\r\n", 0o755, `its interpreter "/bin/sh\r" (Windows line ends) is not in this image`, false},
		{"denied", "#!/bin/sh\n", 0o644, "permission denied", false},
		{"missing", "", 0, "no such file or directory", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := filepath.Join(dir, test.name)
			if test.mode != 0 {
				if err := os.WriteFile(path, []byte(test.content), test.mode); err != nil {
					t.Fatal(err)
				}
			}
			err := Become(path, []string{"app"}, nil, Catch())
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(err.Error(), test.want) || e.NotFound != test.notFound {
				t.Errorf("got %v, want %s, not found %v", err, test.want, test.notFound)
			}
			if begin := "running \"" + path + "\": "; !strings.HasPrefix(err.Error(), begin) {
				t.Errorf("got %v, want it to begin with %s", err, begin)
			}
		})
	}
}

// raise sends a signal to this thread. The runtime has it before raise returns.
func raise(t *testing.T, sig syscall.Signal) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Tgkill(os.Getpid(), unix.Gettid(), sig); err != nil {
		t.Fatal(err)
	}
}

// A signal before the hand-over is not lost. The tests of e2e send later ones.
func TestSignalBeforeHandOver(t *testing.T) {
	s := Catch()
	s.CatchAll()
	if s.Stopped() {
		t.Fatal("got a stop before any signal, want none")
	}
	for _, sig := range []syscall.Signal{
		syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM,
		syscall.SIGVTALRM, syscall.SIGXCPU, syscall.SIGIO, syscall.SIGPWR, syscall.SIGABRT, sigrtmin3,
	} {
		if signal.Ignored(sig) {
			continue // by nohup
		}
		s := Catch()
		s.CatchAll()
		raise(t, sig)
		var e *SignalError
		if err := Become("/nonexistent", nil, nil, s); !errors.As(err, &e) || e.Signal != sig || !s.Stopped() {
			t.Errorf("got %v, stopped %v, want %v", err, s.Stopped(), sig)
		}
	}
	if !s.Stopped() {
		t.Error("got no stop in the first Signals, want one: each has its own channel")
	}
}

func TestSignalName(t *testing.T) {
	for signal, want := range map[syscall.Signal]string{
		syscall.SIGTERM: "SIGTERM", syscall.SIGUSR1: "SIGUSR1", sigrtmin3: "SIGRTMIN+3", 63: "signal 63",
	} {
		if got := (&SignalError{signal}).Error(); got != want {
			t.Errorf("%d: got %s, want %s", signal, got, want)
		}
	}
}
