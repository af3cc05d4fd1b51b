package report

import (
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
)

// flushLimit is how long the log may delay the start of the command where stderr takes nothing.
const flushLimit = 100 * time.Millisecond

// writer never blocks. What does not get out is lost: a stderr that is full and that nobody reads must not keep the
// command from starting, and O_NONBLOCK would change it for all who share it. One goroutine writes what the functions
// in the queue return, and it alone knows what is on the terminal.
type writer struct {
	out   io.Writer
	queue chan func() string
	live  liveLine
}

func newWriter(out io.Writer, onTerminal func()) *writer {
	w := &writer{out: out, queue: make(chan func() string, 64)}
	go w.run(onTerminal)
	return w
}

func (w *writer) run(onTerminal func()) {
	if isTerminal(w.out) && onTerminal != nil {
		onTerminal()
	}
	out := w.out
	if conn := descriptor(out); conn != nil {
		out = rawWriter{conn}
	}
	for next := range w.queue {
		if text := next(); text != "" {
			_, _ = io.WriteString(out, text) // an error has no one to go to
		}
	}
}

func (w *writer) put(next func() string) {
	select {
	case w.queue <- next:
	default:
	}
}

// Write takes one line and never fails.
func (w *writer) Write(line []byte) (int, error) {
	text := string(line)
	w.put(func() string { return w.live.erase() + text + w.live.draw() })
	return len(line), nil
}

// draw changes the live line, or takes it away. What waits to be written gets no company: a terminal that is stopped
// must not cost a line of the log its place.
func (w *writer) draw(text string) {
	if text == "" || len(w.queue) == 0 {
		w.put(func() string { return w.live.set(text) })
	}
}

// flush returns when every line is out, or after flushLimit. Where stderr has room, only the machine is slow: then it
// goes on, for a second at most, since a file has room even on a disk that hangs.
func (w *writer) flush() {
	queue, flushed := w.queue, make(chan struct{})
	for range 10 {
		select {
		case queue <- func() string { close(flushed); return "" }:
			queue = nil // once
		case <-flushed:
			return
		case <-time.After(flushLimit):
			if !w.hasRoom() {
				return
			}
		}
	}
}

// hasRoom reports whether stderr would take a line now, as poll(2) sees it.
func (w *writer) hasRoom() (room bool) {
	if conn := descriptor(w.out); conn != nil {
		_ = conn.Control(func(fd uintptr) {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
			room = n > 0 && err == nil
		})
	}
	return room
}

func isTerminal(w io.Writer) (terminal bool) {
	if conn := descriptor(w); conn != nil {
		_ = conn.Control(func(fd uintptr) { terminal = isatty.IsTerminal(fd) })
	}
	return terminal
}

// descriptor returns that of a file, else nil. It is used as it is, since a file's Write ends the program where the
// reader of stderr is gone (SIGPIPE in os/signal's documentation).
func descriptor(w io.Writer) syscall.RawConn {
	if file, ok := w.(*os.File); ok {
		if conn, err := file.SyscallConn(); err == nil {
			return conn
		}
	}
	return nil
}

// rawWriter is a file's Write without that.
type rawWriter struct{ conn syscall.RawConn }

func (w rawWriter) Write(p []byte) (written int, err error) {
	errConn := w.conn.Write(func(fd uintptr) bool {
		for err = nil; written < len(p) && err == nil; {
			var n int
			n, err = unix.Write(int(fd), p[written:])
			written += max(0, n)
			if errors.Is(err, unix.EINTR) {
				err = nil
			}
		}
		return !errors.Is(err, unix.EAGAIN)
	})
	return written, errors.Join(err, errConn)
}

// writeTerminationLog leaves the reason where kubectl describe pod shows it. The kubelet mounts a file there: nothing
// else may be created or followed. See kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure.
func writeTerminationLog(message string) {
	const path, limit = "/dev/termination-log", 1024
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	message = "envoy-wait: " + message
	if len(message) > limit {
		message = strings.ToValidUTF8(message[:limit], "")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return // it is not ours to write, and there is nobody left to tell
	}
	_, _ = f.WriteString(message)
	_ = f.Close()
}
