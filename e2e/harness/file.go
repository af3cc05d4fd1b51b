//go:build linux

package harness

import (
	"debug/elf"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a new pseudo-terminal.
func Terminal(t testing.TB) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	Need(t, err == nil, fmt.Sprintf("needs a pseudo-terminal: %v", err))
	t.Cleanup(func() { _ = master.Close() })
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// Pipe returns both ends of a pipe. They are closed when the test ends. A read fails
// when Patience is over.
func Pipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	_ = r.SetReadDeadline(time.Now().Add(Patience))
	return r, w
}

// FullPipe returns a pipe that is full: a write to w blocks.
func FullPipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w = Pipe(t)
	fd := int(w.Fd()) // each call makes it blocking
	err := syscall.SetNonblock(fd, true)
	for err == nil {
		_, err = syscall.Write(fd, make([]byte, 4096))
	}
	if err != syscall.EAGAIN {
		t.Fatal(err)
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	return r, w
}

// ReadFile returns a file's content.
func ReadFile(t testing.TB, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// Source returns the content of a file of the repository.
func Source(t testing.TB, name string) string {
	t.Helper()
	return ReadFile(t, filepath.Join(Root(), name))
}

// Documents are the paths of README, docs and the other Markdown files.
func Documents(t testing.TB) []string {
	t.Helper()
	list := Must(t, "git", "-C", Root(), "ls-files", "--cached", "--others", "--exclude-standard", "*.md")
	documents := strings.Fields(list)
	if len(documents) < 10 {
		t.Fatalf("got the documents %q, want more", documents)
	}
	return documents
}

// WriteFile writes a file of that mode, whatever the umask is.
func WriteFile(t testing.TB, path, content string, mode os.FileMode) {
	t.Helper()
	err := os.WriteFile(path, []byte(content), mode)
	if err == nil {
		err = os.Chmod(path, mode)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// WantStatic checks that a program is linked statically, and returns its machine.
func WantStatic(t testing.TB, path string) elf.Machine {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP || program.Type == elf.PT_DYNAMIC {
			t.Errorf("%s: got a segment %v, want a static program", path, program.Type)
		}
	}
	return file.Machine
}
