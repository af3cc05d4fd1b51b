package report

import (
	"io"
	"os"
	"strings"
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
	fd    int // of out where that is a file, else -1
	queue chan func() string

	live  string // the text of the live line, or ""
	shown bool   // it is on the terminal
}

func newWriter(stderr io.Writer, onTerminal func()) *writer {
	w := &writer{out: stderr, fd: duplicate(stderr), queue: make(chan func() string, 64)}
	if w.fd >= 0 {
		w.out = os.NewFile(uintptr(w.fd), "stderr")
	}
	go w.run(onTerminal)
	return w
}

// duplicate returns a descriptor above 2 of the same file, or -1. A write to descriptor 2 ends the program where the
// reader is gone; above 2 it is an error (SIGPIPE in os/signal's documentation).
func duplicate(stderr io.Writer) int {
	fd := -1
	if file, ok := stderr.(*os.File); ok {
		if conn, err := file.SyscallConn(); err == nil { // unlike File.Fd it leaves O_NONBLOCK as it is
			_ = conn.Control(func(two uintptr) { fd, _ = unix.FcntlInt(two, unix.F_DUPFD_CLOEXEC, 3) })
		}
	}
	return fd
}

func (w *writer) run(onTerminal func()) {
	if w.isTerminal() && onTerminal != nil {
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
	w.put(func() string { return w.aboveLive(text) })
	return len(line), nil
}

// draw changes the live line, or takes it away. While anything waits to be written there is no new drawing: on a
// terminal that is stopped the queue is for the log.
func (w *writer) draw(text string) {
	if text == "" || len(w.queue) == 0 {
		w.put(func() string { w.live = text; return w.aboveLive("") })
	}
}

// aboveLive returns text with what erases the live line before it, and draws the line anew after it. In the background
// it leaves the line alone: a shell has written over it by now.
func (w *writer) aboveLive(text string) string {
	if w.shown && !w.inBackground() {
		text = eraseLine + text
	}
	w.shown = w.live != "" && !w.inBackground()
	if w.shown {
		text += drawn(w.live)
	}
	return text
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

// hasRoom reports whether stderr would take a line now.
func (w *writer) hasRoom() bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(w.fd), Events: unix.POLLOUT}}, 0) // it ignores -1
	return n > 0 && err == nil
}

func (w *writer) isTerminal() bool { return isatty.IsTerminal(uintptr(w.fd)) }

// inBackground reports whether the terminal is not ours to draw on: it is a shell's.
func (w *writer) inBackground() bool {
	group, err := unix.IoctlGetInt(w.fd, unix.TIOCGPGRP)
	return err == nil && group != unix.Getpgrp()
}

// writeTerminationLog leaves the reason where kubectl describe pod shows it. The kubelet mounts a file there: nothing
// else may be created or followed. See kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure.
func writeTerminationLog(message string) {
	const path, limit = "/dev/termination-log", 1024
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		message = "envoy-wait: " + message
		message = strings.ToValidUTF8(message[:min(limit, len(message))], "") // a character may be cut in two
		_ = os.WriteFile(path, []byte(message), 0)                            // there is nobody left to tell of an error
	}
}
