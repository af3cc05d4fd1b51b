package report

import (
	"fmt"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

const (
	// redrawInterval is also how long a wait lasts before there is a live line at all: a short one does not flicker.
	redrawInterval = 250 * time.Millisecond
	// liveColumns is the most that the live line takes, so that it fits on every terminal.
	liveColumns = 60
	// eraseLine clears the line and all below it: a terminal that was made narrower may have broken the line in two. It
	// never clears from the first cell of a screen on, which tmux takes for the end of a page to keep.
	eraseLine = "\r\x1b[K\x1b[C\x1b[J\r"
)

// drawn is what to write for the live line. On a terminal of fewer columns it is cut off, not broken (DECAWM of a VT100).
// The cursor stays in the first column, where whatever is written next hides most of the line.
func drawn(text string) string { return "\x1b[?7l" + text + "\x1b[?7h\r" }

// redraw draws the live line each redrawInterval while the wait lasts, once its first endpoint was asked.
func (r *Reporter) redraw() {
	r.mu.Lock()
	defer r.mu.Unlock()
	pending := r.pending()
	if r.over || len(pending) == 0 {
		return
	}
	if pending[0].Number > 0 {
		r.out.draw(r.progress(pending[0]))
	}
	time.AfterFunc(redrawInterval, r.redraw)
}

// progress is the text of the live line: how long the wait takes, how long it may take, and why.
func (r *Reporter) progress(a probe.Attempt) string {
	text := fmt.Sprintf("envoy-wait: %v", r.elapsed().Truncate(time.Second))
	if remaining, ends := r.remaining(); ends {
		text += fmt.Sprintf(", %v left", (remaining + time.Second - 1).Truncate(time.Second))
	}
	columns := []rune(printable(text + ", " + a.Cause()))
	return string(columns[:min(liveColumns, len(columns))])
}
