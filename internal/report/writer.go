package report

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"golang.org/x/sys/unix"
)

// flushLimit is how long the log may delay the start of the command.
const flushLimit = 100 * time.Millisecond

// writer never blocks. What does not get out is lost: a stderr that is full and that nobody reads must not keep the
// command from starting, and O_NONBLOCK would change it for all who share it. One goroutine writes, and it alone
// knows what is on the terminal.
type writer struct {
	queue chan entry
	live  liveLine
}

// entry is one of these.
type entry struct {
	line    []byte        // to be written
	live    *string       // the new text of the live line; "" takes it away
	flushed chan struct{} // to be closed when all entries before are out
}

func newWriter(out io.Writer, onTerminal func()) *writer {
	w := &writer{queue: make(chan entry, 64)}
	go w.run(out, onTerminal)
	return w
}

func (w *writer) run(out io.Writer, onTerminal func()) {
	if isTerminal(out) && onTerminal != nil {
		onTerminal()
	}
	if conn := descriptor(out); conn != nil {
		out = rawWriter{conn}
	}
	for next := range w.queue {
		text := ""
		switch {
		case next.flushed != nil:
			close(next.flushed)
		case next.live != nil:
			if w.live.text = *next.live; w.live.text == "" {
				text = w.live.erase()
			} else {
				text = w.live.draw()
			}
		default:
			text = w.live.around(string(next.line))
		}
		if text != "" {
			_, _ = io.WriteString(out, text) // an error has no one to go to
		}
	}
}

// Write takes one line and never fails.
func (w *writer) Write(line []byte) (int, error) {
	w.put(entry{line: append([]byte(nil), line...)})
	return len(line), nil
}

// draw changes the live line. What waits to be written gets no company: a terminal that is stopped must not cost a
// line of the log its place.
func (w *writer) draw(text string) {
	if text == "" || len(w.queue) == 0 {
		w.put(entry{live: &text})
	}
}

func (w *writer) put(e entry) {
	select {
	case w.queue <- e:
	default:
	}
}

// flush returns when every line is out, or after flushLimit.
func (w *writer) flush() {
	limit := time.After(flushLimit)
	last := entry{flushed: make(chan struct{})}
	select {
	case w.queue <- last:
		select {
		case <-last.flushed:
		case <-limit:
		}
	case <-limit:
	}
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
