package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// redrawInterval is also how long a wait lasts before there is a line at all: a
// short one does not flicker.
const redrawInterval = 250 * time.Millisecond

// eraseLine goes to the start of the line and leaves nothing of it.
const eraseLine = "\r\x1b[K"

// live is a line on a terminal that says how the wait goes, drawn anew while it
// lasts. All that is logged passes through it, so that it can make room. Its
// methods are called with lock held, which is the report's.
//
// It does not know the report: it becomes an io.Writer, and the linker keeps all
// the methods of all that such a type refers to, the logger's too (130 KB).
type live struct {
	lines lines
	lock  sync.Locker
	text  func() string
	width func() int  // of the terminal, 0 where there can be no line now; nil where there never is one
	timer *time.Timer // nil before the first attempt that found something not ready
	shown bool
}

// wantsLive says whether a wait has a live line where it is on a terminal.
func wantsLive(s *settings, env []string) bool {
	term := lookup(env, "TERM")
	return !s.Once && s.LogFormat != formatJSON && (s.LogLevel == "info" || s.LogLevel == "debug") &&
		lookup(env, "NO_COLOR") == "" && term != "" && term != "dumb"
}

// columns returns what tells the width of a terminal. That is 0 where it is not
// known, and where this process is in the background: the terminal is a shell's
// then.
func columns(terminal io.Writer) func() int {
	conn := descriptor(terminal)
	return func() (width int) {
		_ = conn.Control(func(fd uintptr) {
			foreground, err := unix.IoctlGetInt(int(fd), unix.TIOCGPGRP)
			if err == nil && foreground != syscall.Getpgrp() {
				return
			}
			if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
				width = int(size.Col)
			}
		})
		return width
	}
}

// start has the line drawn from now on.
func (l *live) start() {
	if l.width != nil && l.timer == nil {
		l.timer = time.AfterFunc(redrawInterval, l.redraw)
	}
}

// redraw is called by the timer, without the lock.
func (l *live) redraw() {
	l.lock.Lock()
	defer l.lock.Unlock()
	if l.width == nil {
		return // stopped meanwhile
	}
	// What waits to be written gets no company: a terminal that is stopped must
	// not cost a line of the log its place.
	if len(l.lines.queue) == 0 {
		l.write(l.draw())
	}
	l.timer.Reset(redrawInterval)
}

// stop erases the line for good.
func (l *live) stop() {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.write(l.erase())
	l.width = nil
}

// Write takes an ordinary line.
func (l *live) Write(line []byte) (int, error) {
	if !l.shown {
		return l.lines.Write(line)
	}
	l.write(l.erase() + string(line) + l.draw())
	return len(line), nil
}

func (l *live) write(text string) {
	if text != "" {
		_, _ = l.lines.Write([]byte(text))
	}
}

func (l *live) erase() string {
	if !l.shown {
		return ""
	}
	l.shown = false
	if l.width() == 0 {
		return "" // a shell has written over it by now
	}
	return eraseLine
}

// draw returns what draws the line, over the one that may be there. The cursor
// stays in the first column, where anything else that is written hides most of it.
func (l *live) draw() string {
	text := l.text()
	room := l.width() - 1 // to write into the last column may wrap
	if text == "" || room <= 0 {
		return ""
	}
	l.shown = true
	return "\r" + text[:min(room, len(text))] + "\x1b[K\r"
}

// progress is the text of the live line, in which a byte is a column. The first
// target that is not ready stands for all; what a narrow terminal cuts off is the URL.
func (r *report) progress() string {
	pending := r.pending()
	if len(pending) == 0 {
		return ""
	}
	elapsed := r.elapsed().Truncate(time.Second)
	text := fmt.Sprintf("envoy-wait: %v", elapsed)
	if timeout := time.Duration(r.settings.Timeout); timeout > 0 {
		text += fmt.Sprintf(", %v left", max(0, timeout-elapsed))
	}
	first := pending[0]
	text += fmt.Sprintf(", attempt %d, %s", first.Number, first.Cause())
	if more := len(pending) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more not ready", more)
	}
	return strings.Map(printable, text+": "+name(first))
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
