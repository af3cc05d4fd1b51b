//go:build linux

package faults

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

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

// writeTables puts what was seen into proof.md, and a summary of the races into reliability.md. All that a page says
// is of one run.
func writeTables(docs string) error {
	faults := faultTable()
	races, summary := raceTables()
	if faults == "" || races == "" {
		return errors.New("-docs needs all the tests: there are no faults, or no races")
	}
	for _, part := range []struct{ page, mark, text string }{
		{"proof.md", "run", ranOn()}, {"proof.md", "faults", faults}, {"proof.md", "races", races}, {"reliability.md", "races", summary},
	} {
		if err := markdown.Write(filepath.Join(docs, part.page), part.mark, "\n"+part.text+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// ranOn says when and where, in one line.
func ranOn() string {
	var name unix.Utsname
	_ = unix.Uname(&name)
	kernel := regexp.MustCompile(`^[0-9.]*`).FindString(unix.ByteSliceToString(name.Release[:]))
	return fmt.Sprintf("%s, Linux %s, %s, %d cores. Each wait took %v.\n", time.Now().Format(time.DateOnly), kernel, runtime.GOARCH, runtime.NumCPU(), *length)
}

func faultTable() string {
	slices.SortStableFunc(memory.seen, func(a, b seen) int { return strings.Compare(a.subject+a.name, b.subject+b.name) })
	text, subject := "", ""
	for _, s := range memory.seen {
		if s.subject != subject {
			if subject != "" {
				text += "\n"
			}
			subject = s.subject
			text += fmt.Sprintf("| %s | last seen | exit `start` / `fail` | overrun, ms | peak, MB | lines |\n|---|---|---|---|---|---|\n", subject)
		}
		overrun := "ready"
		if s.overrun != 0 {
			overrun = fmt.Sprint(s.overrun.Milliseconds())
		}
		text += fmt.Sprintf("| %s | %s | %d / %d | %s | %.1f | %d |\n",
			s.name, cell(s.cause), s.start, s.fail, overrun, float64(s.memory)/1e6, s.lines)
	}
	return text
}

// raceTables returns the outcomes of each race, and a summary, which goes by their first words.
func raceTables() (races, summary string) {
	slices.SortFunc(memory.outcomes, func(a, b outcomes) int { return strings.Compare(a.name, b.name) })
	for _, o := range memory.outcomes {
		var counts []string
		dropped, status2 := 0, 0
		for name, n := range o.counts {
			counts = append(counts, fmt.Sprintf("%s: %d", name, n))
			switch {
			case strings.HasPrefix(name, "dropped "):
				dropped += n
			case strings.HasPrefix(name, "exit status 2 "):
				status2 += n
			}
		}
		slices.Sort(counts)
		races += fmt.Sprintf("| %s | %d | %s |\n", o.name, o.rounds, cell(strings.Join(counts, "; ")))
		summary += fmt.Sprintf("| %s | %d | %d | %d | %d |\n", o.name, o.rounds, o.rounds-dropped-status2, dropped, status2)
	}
	if races != "" {
		races = "| race | rounds | outcomes |\n|---|---|---|\n" + races
		summary = "| race | rounds | took effect | dropped | exit status 2 |\n|---|---|---|---|---|\n" + summary
	}
	return races, summary
}

// cell fits text into one cell.
func cell(text string) string {
	const limit = 300
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return strings.NewReplacer("|", `\|`, "<", "&lt;").Replace(text)
}
