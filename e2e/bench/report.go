//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// report has what was measured, and the page that tells it.
type report struct {
	plan    plan
	starts  []start
	company []company
	growth  []*growth

	Waits, Costs []wait // for the plots

	page bytes.Buffer
}

func (r *report) show(title string, t *table) { r.print("### " + title + "\n\n" + t.String() + "\n") }

func (r *report) print(text string) {
	fmt.Print(text)
	r.page.WriteString(text)
}

const (
	markBegin = "<!-- make bench writes from here -->\n"
	markEnd   = "<!-- to here -->\n"
)

// publish puts the page into dir's performance.md between the marks, and draws the
// plots.
func (r *report) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "performance.md")
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
	text = fmt.Appendf(nil, "%s%s\n%s\n\n%s%s", before, markBegin, page, markEnd, after)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		return err
	}
	if r.Waits == nil {
		return nil
	}
	return r.draw(dir)
}

// draw runs the module with the plotting library.
func (r *report) draw(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	waits, err := json.Marshal(r)
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "run", ".", dir)
	cmd.Dir = filepath.Join("e2e", "bench", "plot")
	cmd.Stdin = bytes.NewReader(waits)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("drawing the plots: %w: %s", err, out)
	}
	return nil
}
