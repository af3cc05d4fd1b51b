package report

import (
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/probe"
)

// redrawInterval is also how long a wait lasts before there is a live line at all: a short one does not flicker.
const redrawInterval = 250 * time.Millisecond

// eraseLine goes to the start of the line and leaves nothing of it.
const eraseLine = "\r\x1b[K"

// liveLine is a line on a terminal that says how the wait goes. It belongs to the writer's goroutine. Its methods
// return what to write.
type liveLine struct {
	columns func() int // of the terminal, 0 where there can be no line now; nil where there never is one
	text    string
	shown   bool
}

// set changes the text; "" takes the line away.
func (l *liveLine) set(text string) string {
	if l.text = text; text == "" {
		return l.erase()
	}
	return l.draw()
}

func (l *liveLine) erase() string {
	if !l.shown {
		return ""
	}
	l.shown = false
	if l.columns() == 0 {
		return "" // a shell has written over it by now
	}
	return eraseLine
}

// draw draws over the line that may be there, where there is a text. The cursor stays in the first column, where
// anything else that is written hides most of the line.
func (l *liveLine) draw() string {
	if l.text == "" || l.columns() <= 1 {
		return ""
	}
	room := l.columns() - 1 // to write into the last column may wrap
	l.shown = true
	return "\r" + l.text[:min(room, len(l.text))] + "\x1b[K\r"
}

// columns returns what tells the width of a terminal, or nil if out is none. The width is 0 where it is not known,
// and where this process is in the background: the terminal is a shell's then.
func columns(out io.Writer) func() int {
	if !isTerminal(out) {
		return nil
	}
	conn := descriptor(out)
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

// startLiveLine and stopLiveLine are called with the lock.
func (r *Reporter) startLiveLine() {
	if r.out.live.columns != nil && r.redraws == nil {
		r.redraws = time.AfterFunc(redrawInterval, r.redraw)
	}
}

func (r *Reporter) redraw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := r.progress(); text != "" && !r.over {
		r.out.draw(text)
		r.redraws.Reset(redrawInterval)
	}
}

func (r *Reporter) stopLiveLine() {
	if r.redraws != nil {
		r.redraws.Stop()
		r.out.draw("")
	}
}

// progress is the text of the live line, in which a byte is a column. The first target that is not ready stands for
// all. What a narrow terminal cuts off is the URL.
func (r *Reporter) progress() string {
	pending := r.pending()
	if len(pending) == 0 {
		return ""
	}
	text := fmt.Sprintf("envoy-wait: %v", r.elapsed().Truncate(time.Second))
	if remaining, ends := r.remaining(); ends {
		text += fmt.Sprintf(", %v left", (remaining + time.Second - 1).Truncate(time.Second))
	}
	first := pending[0]
	text += fmt.Sprintf(", attempt %d, %s", first.Number, first.Cause())
	if more := len(pending) - 1; more > 0 {
		text += fmt.Sprintf(", and %d more not ready", more)
	}
	return strings.Map(func(c rune) rune {
		if c > '~' {
			return '?'
		}
		return c
	}, printable(text+": "+probe.Redact(first.URL)))
}
