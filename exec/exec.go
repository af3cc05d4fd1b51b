// Package exec becomes the command: it looks it up and replaces the process by execve(2), so that PID, parent,
// descriptors, signals, exit status and terminal are the command's own by construction.
//
// [LookPath] finds the command as execvp(3) would. [Become] runs it and returns only if that failed. [Supervise] stays
// as the command's parent instead. [Signals] catches the signals that end a wait.
//
// Signals are caught by os/signal alone. As PID 1 the Go runtime ends a process with 2 instead of 128+n in two
// moments: before Catch, and just before execve. There, and until CatchAll, others than TERM, INT and HUP may get lost.
//
// The Go runtime changes some of what the command sees, before main: it resets inherited SIG_IGN of signals other
// than HUP, INT and those of job control, unblocks CHLD and the signals that end a Go program (initsig and
// blockableSig in the runtime's signal_unix.go), and opens /dev/null on a descriptor 0 to 2 that is closed. The soft
// RLIMIT_NOFILE, which it raises too, is put back by syscall.Exec.
package exec

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	osexec "os/exec"
	"os/signal"
	"strings"
	"syscall"
)

// ErrNotInPath is the cause when no directory of PATH has the command.
var ErrNotInPath = errors.New("not found in PATH")

// Error says why a command cannot be run.
type Error struct {
	Op       string // what was attempted: "looking up" or "running"
	Name     string // the command as typed, or its path
	Err      error  // the cause, a syscall.Errno or ErrNotInPath
	Hint     string // what the cause does not say, or empty
	NotFound bool   // "there is no such command" (a shell's 127), not "there is, and it cannot be run" (126)
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s %q: %v", e.Op, e.Name, e.Err)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// LookPath returns the path of the command name: name itself if it has a slash, else the first executable of that
// name in the PATH of env. Like execvp(3) it takes an empty element as the current directory, and remembers a file
// that may not be executed only for the case that no other is found. A script without its interpreter is an error: the
// first bytes of the file tell.
func LookPath(name string, env []string) (string, error) {
	path, err := search(name, env)
	if err != nil {
		return "", lookupError(path, err)
	}
	return path, checkFormat(path)
}

// search returns a path that may be executed, or an error and what it is about.
func search(name string, env []string) (path string, err error) {
	if strings.Contains(name, "/") {
		return name, executable(name)
	}
	path, err = name, ErrNotInPath
	for _, dir := range strings.Split(searchPath(env), ":") { // filepath.SplitList has no element for ""
		file := cmp.Or(dir, ".") + "/" + name
		switch cause := executable(file); {
		case cause == nil:
			return file, nil
		case name != "" && (errors.Is(cause, fs.ErrPermission) || errors.Is(cause, syscall.EISDIR)):
			path, err = file, cause
		}
	}
	return path, err
}

// executable returns nil if path, which has a slash, may be executed, else the cause.
func executable(path string) error {
	_, err := osexec.LookPath(path)
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno
	}
	return errors.Unwrap(err) // nil, or fs.ErrPermission from the mode where the kernel cannot be asked
}

func searchPath(env []string) string {
	for _, entry := range env {
		if path, ok := strings.CutPrefix(entry, "PATH="); ok {
			return path
		}
	}
	return "/usr/local/bin:/bin:/usr/bin" // as execvp(3) of glibc and musl
}

func lookupError(name string, err error) *Error {
	e := &Error{Op: "looking up", Name: name, Err: err, NotFound: errors.Is(err, ErrNotInPath) || errors.Is(err, fs.ErrNotExist)}
	switch {
	case errors.Is(err, fs.ErrPermission):
		e.Hint = "make the file executable: chmod +x"
	case e.NotFound && strings.HasPrefix(name, "-"):
		e.Hint = `after "--" comes the command: write flags of envoy-wait before it`
	case e.NotFound && strings.Contains(name, " "):
		e.Hint = "this is one word: write the command and each argument as words of their own"
	}
	return e
}

// checkFormat finds a script without its interpreter. A program for another architecture is left to execve(2): an
// emulator may run it.
func checkFormat(path string) error {
	head := readHead(path)
	if script := interpreter(head); script != "" {
		if _, err := os.Stat(script); errors.Is(err, fs.ErrNotExist) {
			return &Error{Op: "looking up", Name: path, Err: syscall.ENOENT, Hint: missing(head)}
		}
	}
	return nil
}

// Become replaces the process by the command at path, with argv (argv[0] as typed) and env. It returns only if that
// failed: a *SignalError if one of signals came before the point of no return, else an *Error.
func Become(path string, argv, env []string, signals *Signals) error {
	signal.Stop(signals.caught) // returns when all signals so far are in the channel
	if err := signals.lastLook(); err != nil {
		return err
	}
	// The point of no return. TERM, INT or HUP now ends the process at once, and without a word: so nothing else stands
	// here, to keep the moment short.
	return runError(path, syscall.Exec(path, argv, env))
}

// runError tells what execve(2) means by its errno.
func runError(path string, err error) *Error {
	e := &Error{Op: "running", Name: path, Err: err}
	switch _, statErr := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist) && statErr != nil:
		e.NotFound = true
	case errors.Is(err, fs.ErrNotExist):
		// execve(2): ENOENT also means that the file is there, and what it needs is not.
		e.Hint = missing(readHead(path))
	case errors.Is(err, syscall.ENOEXEC):
		e.Hint = "the program is for another architecture, or a script without a #! line"
	case errors.Is(err, syscall.E2BIG):
		e.Hint = "arguments and environment are too large for the kernel"
	}
	return e
}

// missing names what a script, or a dynamically linked program, needs to start.
func missing(head []byte) string {
	what := "dynamic loader (it is dynamically linked, and scratch and distroless/static have no libc)"
	if script := interpreter(head); script != "" {
		what = fmt.Sprintf("interpreter %q", script)
		if strings.HasSuffix(script, "\r") {
			what += " (Windows line ends)"
		}
	}
	return "the file is there, but its " + what + " is not in this image"
}

// interpreter returns the path in the first line of a script, or "".
func interpreter(head []byte) string {
	line, _, _ := strings.Cut(string(head), "\n")
	script, isScript := strings.CutPrefix(line, "#!")
	words := strings.FieldsFunc(script, func(c rune) bool { return c == ' ' || c == '\t' })
	if !isScript || len(words) == 0 {
		return ""
	}
	return words[0]
}

// readHead returns the first bytes of a file, or none. A FIFO does not keep it waiting.
func readHead(path string) []byte {
	head := make([]byte, 256) // BINPRM_BUF_SIZE: the kernel reads no more
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	n, _ := syscall.Read(fd, head)
	_ = syscall.Close(fd)
	return head[:max(0, n)]
}
