//go:build linux

package exec

import (
	"debug/elf"
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

// What the first bytes tell, and the hints of a look-up.
func TestLookPathHints(t *testing.T) {
	dir := t.TempDir()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	foreign := append([]byte{}, self[:64]...)
	foreign[18], foreign[19] = byte(elf.EM_SPARCV9), 0
	for name, test := range map[string]struct {
		content string
		mode    os.FileMode
		want    string // "" where the command is found
	}{
		"script":      {"#!/bin/sh\n", 0o755, ""},
		"spaces":      {"#! \t/bin/sh\t-e\n", 0o755, ""},
		"option":      {"#!/bin/sh -e\r\n", 0o755, ""},
		"no-line-end": {"#!/bin/sh", 0o755, ""},
		"empty":       {"", 0o755, ""},
		"no-shebang":  {"echo\n", 0o755, ""},
		"own":         {string(self[:64]), 0o755, ""},
		"foreign":     {string(foreign), 0o755, ""}, // an emulator may run it
		"interpreter": {"#!/no/such/sh -e\n", 0o755, `no such file or directory; the file is there, but its interpreter "/no/such/sh" is not in this image`},
		"dos":         {"#!/bin/sh\r\necho\r\n", 0o755, `no such file or directory; the file is there, but its interpreter "/bin/sh\r" (Windows line ends) is not in this image`},
		"denied":      {"#!/bin/sh\n", 0o644, "permission denied; make the file executable: chmod +x"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(test.content), test.mode); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{name, path} {
			want, got := "", ""
			if test.want != "" {
				want = "looking up \"" + path + "\": " + test.want
			}
			_, err := LookPath(name, []string{"PATH=" + dir})
			var e *Error
			if errors.As(err, &e) {
				got = err.Error()
			}
			if got != want || e != nil && e.NotFound {
				t.Errorf("%s: got %q, want %q, and no status of \"not found\"", name, got, want)
			}
		}
	}
	for name, want := range map[string]string{
		"app --flag": `looking up "app --flag": not found in PATH; this is one word: write the command and each argument as words of their own`,
		"--port=80":  `looking up "--port=80": not found in PATH; after "--" comes the command: write flags of envoy-wait before it`,
	} {
		if _, err := LookPath(name, nil); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := LookPath(fifo, nil); err != nil {
		t.Errorf("got %v, want the FIFO left to execve", err)
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
		{"noshebang", "echo hi\n", 0o755, "exec format error; the program is for another architecture, or a script without a #! line", false},
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

// A signal before the hand-over is not lost, also where somebody asks whether one has stopped us. What happens to a later
// one is shown by e2e.
func TestSignalBeforeHandOver(t *testing.T) {
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
		if s.Stopped() {
			t.Errorf("%v: stopped before anybody has taken the signal, want not yet", sig)
		}
		var e *SignalError
		if err := Become("/nonexistent", nil, nil, s); !errors.As(err, &e) || e.Signal != sig || !s.Stopped() {
			t.Errorf("got %v, stopped %v, want %v", err, s.Stopped(), sig)
		}
	}
}

// Only a signal that asks to stop ends what comes after the command.
func TestAwaitStop(t *testing.T) {
	for _, stop := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT} {
		s := &Signals{caught: make(chan os.Signal, 8)}
		for _, sig := range []syscall.Signal{syscall.SIGCHLD, syscall.SIGUSR1, syscall.SIGWINCH, stop, syscall.SIGHUP} {
			s.caught <- sig
		}
		s.AwaitStop()
		if left := len(s.caught); left != 1 {
			t.Errorf("%v: %d signals are left, want the one behind it", stop, left)
		}
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
