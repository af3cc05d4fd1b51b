package main

import (
	"errors"
	"io"
	"maps"
	"os"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

// flushLimit is how long the log may delay the start of the app.
const flushLimit = 100 * time.Millisecond

// newLogger writes one line an event to w: JSON in the fields that Cloud Logging
// knows (cloud.google.com/logging/docs/structured-logging), or text for people.
func newLogger(w io.Writer, text bool, level word) zerolog.Logger {
	// zerolog.ParseLevel no longer knows the names once they are Cloud Logging's.
	lowest, ok := map[word]zerolog.Level{
		"debug": zerolog.DebugLevel, "info": zerolog.InfoLevel, "warn": zerolog.WarnLevel, "error": zerolog.ErrorLevel,
	}[level]
	if !ok {
		lowest = zerolog.InfoLevel
	}
	zerolog.LevelFieldName = "severity"
	zerolog.LevelFieldMarshalFunc = severity
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.TimestampFunc = func() time.Time { return time.Now().UTC() }
	if text {
		w = zerolog.ConsoleWriter{
			Out: w, NoColor: true,
			PartsOrder:    []string{zerolog.LevelFieldName, zerolog.MessageFieldName},
			FormatLevel:   textPrefix,
			FormatPrepare: onlyMessage,
		}
	}
	return zerolog.New(w).Level(lowest).With().Timestamp().Str("logger", "envoy-wait").Logger()
}

func severity(l zerolog.Level) string {
	switch l {
	case zerolog.DebugLevel:
		return "DEBUG"
	case zerolog.WarnLevel:
		return "WARNING"
	case zerolog.ErrorLevel:
		return "ERROR"
	default:
		return "INFO"
	}
}

func textPrefix(severity any) string {
	if severity == "WARNING" {
		return "envoy-wait: warning:"
	}
	return "envoy-wait:"
}

// onlyMessage drops the fields: the message says it all.
func onlyMessage(event map[string]any) error {
	maps.DeleteFunc(event, func(field string, _ any) bool {
		return field != zerolog.LevelFieldName && field != zerolog.MessageFieldName
	})
	return nil
}

func isTerminal(w io.Writer) (terminal bool) {
	if conn := descriptor(w); conn != nil {
		_ = conn.Control(func(fd uintptr) { terminal = isatty.IsTerminal(fd) })
	}
	return terminal
}

// descriptor returns that of a file, else nil. It is used as it is, since a
// file's Write ends the program where the reader of stderr is gone (SIGPIPE in
// os/signal's documentation).
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

// lines is a writer that never blocks; what does not get out is lost. A stderr
// that is full and that nobody reads must not keep the app from starting, and
// O_NONBLOCK would change it for all who share it.
type lines struct{ queue chan line }

type line struct {
	text    []byte
	flushed chan struct{} // closed when all lines before are out, or nil
}

func newLines(w io.Writer) lines {
	if conn := descriptor(w); conn != nil {
		w = rawWriter{conn}
	}
	l := lines{queue: make(chan line, 64)}
	go func() {
		for next := range l.queue {
			if len(next.text) > 0 {
				_, _ = w.Write(next.text) // an error has no one to go to
			}
			if next.flushed != nil {
				close(next.flushed)
			}
		}
	}()
	return l
}

// Write takes one line and never fails.
func (l lines) Write(text []byte) (int, error) {
	select {
	case l.queue <- line{text: append([]byte(nil), text...)}:
	default:
	}
	return len(text), nil
}

// flush returns when every line is out, or after flushLimit.
func (l lines) flush() {
	limit := time.After(flushLimit)
	last := line{flushed: make(chan struct{})}
	select {
	case l.queue <- last:
	case <-limit:
		return
	}
	select {
	case <-last.flushed:
	case <-limit:
	}
}
