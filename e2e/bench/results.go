//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// results are what was measured, as the JSON file has it: times in nanoseconds.
type results struct {
	Machine machine
	Plan    plan
	Notes   []string
	Aims    []aim
	Starts  []start
	Company []company
	Waits   []wait
	Costs   []wait
	Growth  []growth

	page bytes.Buffer // what was printed, for the document
}

func (r *results) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.Notes = append(r.Notes, line)
	r.print(line + "\n\n")
}

func (r *results) show(title string, t table) { r.print("### " + title + "\n\n" + t.String() + "\n") }

func (r *results) print(text string) {
	fmt.Print(text)
	r.page.WriteString(text)
}

// publish judges, draws, and writes all that is kept.
func (r *results) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r.compare()
	r.judge()
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"performance.json":         append(text, '\n'),
		"performance-lag.svg":      r.lagPlot().svg(),
		"performance-attempts.svg": r.attemptsPlot().svg(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return r.paste(filepath.Join(dir, "performance.md"))
}

const (
	markBegin = "<!-- make bench writes from here -->\n"
	markEnd   = "<!-- to here -->\n"
)

// paste puts what was printed into the document, between the marks.
func (r *results) paste(path string) error {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		text, err = []byte(markBegin+markEnd), nil
	}
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(markBegin))
	_, after, found := bytes.Cut(rest, []byte(markEnd))
	if !ok || !found {
		return fmt.Errorf("%s lacks the lines %q and %q", path, markBegin, markEnd)
	}
	page := bytes.TrimRight(r.page.Bytes(), "\n")
	return os.WriteFile(path, bytes.Join([][]byte{before, []byte(markBegin), []byte("\n"), page, []byte("\n\n"), []byte(markEnd), after}, nil), 0o644)
}

func (r *results) growthTable() table {
	t := table{{"until ready", ""}}
	for _, g := range r.Growth {
		if len(t[0]) == 2 {
			t[0] = append(t[0], "after "+seconds(g.Early), "after "+seconds(g.Late))
		}
		t.row(until(g.Refused), g.Name, kb(g.EarlyKB), kb(g.LateKB))
	}
	return t
}
