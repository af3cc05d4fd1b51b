package report

import (
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
	conn  syscall.RawConn // of out where that is a file, else nil
	queue chan func() string

	live  string // the text of the live line, or ""
	shown bool   // it is on the terminal
}

func newWriter(stderr io.Writer, onTerminal func()) *writer {
	w := &writer{out: stderr, conn: rawConn(stderr), queue: make(chan func() string, 64)}
	if file := duplicate(w.conn); file != nil {
		w.out = file
	}
	go w.run(onTerminal)
	return w
}

func (w *writer) run(onTerminal func()) {
	if isTerminal(w.conn) && onTerminal != nil {
		onTerminal()
	}
	for next := range w.queue {
		if text := next(); text != "" {
			_, _ = io.WriteString(w.out, text) // an error has no one to go to
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
	w.put(func() string { return w.erase() + text + w.redraw() })
	return len(line), nil
}

// draw changes the live line, or takes it away. While anything waits to be written there is no new drawing: on a
// terminal that is stopped the queue is for the log.
func (w *writer) draw(text string) {
	if text == "" || len(w.queue) == 0 {
		w.put(func() string { w.live = text; return w.erase() + w.redraw() })
	}
}

func (w *writer) erase() string {
	if !w.shown {
		return ""
	}
	w.shown = false
	if inBackground(w.conn) {
		return "" // a shell has written over it by now
	}
	return eraseLine
}

func (w *writer) redraw() string {
	if w.live == "" || inBackground(w.conn) {
		return ""
	}
	w.shown = true
	return drawn(w.live)
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
	if w.conn != nil {
		_ = w.conn.Control(func(fd uintptr) {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 0)
			room = n > 0 && err == nil
		})
	}
	return room
}

// rawConn returns that of a file, else nil. Unlike File.Fd it leaves O_NONBLOCK as it is.
func rawConn(w io.Writer) syscall.RawConn {
	if file, ok := w.(*os.File); ok {
		if conn, err := file.SyscallConn(); err == nil {
			return conn
		}
	}
	return nil
}

func isTerminal(conn syscall.RawConn) (terminal bool) {
	if conn != nil {
		_ = conn.Control(func(fd uintptr) { terminal = isatty.IsTerminal(fd) })
	}
	return terminal
}

// duplicate returns the same file under a descriptor above 2, or nil. A write to descriptor 2 ends the program where the
// reader is gone; above 2 it is an error (SIGPIPE in os/signal's documentation).
func duplicate(conn syscall.RawConn) (file *os.File) {
	if conn != nil {
		_ = conn.Control(func(fd uintptr) {
			if above, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3); err == nil {
				file = os.NewFile(uintptr(above), "stderr")
			}
		})
	}
	return file
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
