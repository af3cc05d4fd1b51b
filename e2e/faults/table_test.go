//go:build linux

package faults

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// seen is a row of the table.
type seen struct {
	subject, name, cause string
	start, fail          int // exit statuses
	overrun              time.Duration
	memory               int64
	lines                int
}

// outcomes counts how the rounds of a race ended.
type outcomes struct {
	name   string
	rounds int
	counts map[string]int
}

var memory struct {
	sync.Mutex
	seen     []seen
	outcomes []outcomes
}

func remember(s seen) {
	memory.Lock()
	defer memory.Unlock()
	memory.seen = append(memory.seen, s)
}

func rememberOutcomes(o outcomes) {
	memory.Lock()
	defer memory.Unlock()
	memory.outcomes = append(memory.outcomes, o)
}

// writeTables puts the tables into a Markdown file. A table without rows leaves the file as it is.
func writeTables(path string) error {
	for mark, text := range map[string]string{"faults": faultTable(), "races": raceTable()} {
		if text == "" {
			continue
		}
		if err := markdown.Write(path, mark, text); err != nil {
			return err
		}
	}
	return nil
}

func faultTable() string {
	slices.SortStableFunc(memory.seen, func(a, b seen) int { return strings.Compare(a.subject+a.name, b.subject+b.name) })
	text, subject := "", ""
	for _, s := range memory.seen {
		if s.subject != subject {
			subject = s.subject
			text += fmt.Sprintf("\n| %s | last seen | exit `start` / `fail` | overrun, ms | peak, MB | lines |\n|---|---|---|---|---|---|\n", subject)
		}
		overrun := "ready"
		if s.overrun != 0 {
			overrun = fmt.Sprint(s.overrun.Milliseconds())
		}
		text += fmt.Sprintf("| %s | %s | %d / %d | %s | %.1f | %d |\n",
			s.name, cell(s.cause), s.start, s.fail, overrun, float64(s.memory)/1e6, s.lines)
	}
	if text != "" {
		text += "\n"
	}
	return text
}

func raceTable() string {
	slices.SortFunc(memory.outcomes, func(a, b outcomes) int { return strings.Compare(a.name, b.name) })
	text := ""
	for _, o := range memory.outcomes {
		var counts []string
		for name, n := range o.counts {
			counts = append(counts, fmt.Sprintf("%s: %d", name, n))
		}
		slices.Sort(counts)
		text += fmt.Sprintf("| %s | %d | %s |\n", o.name, o.rounds, cell(strings.Join(counts, "; ")))
	}
	if text != "" {
		text = "\n| race | rounds | outcomes |\n|---|---|---|\n" + text + "\n"
	}
	return text
}

// cell fits text into one cell.
func cell(text string) string {
	const limit = 300
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text)
}
