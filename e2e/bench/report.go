//go:build linux

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// report has the figures, and the page about them.
type report struct {
	plan   plan
	starts []start

	Waits, Costs []wait // for the plots

	page bytes.Buffer
}

func (r *report) show(title string, t *table) { r.print("### " + title + "\n\n" + t.String() + "\n") }

func (r *report) print(text string) {
	fmt.Print(text)
	r.page.WriteString(text)
}

// publish puts the page into dir's performance.md, and draws the plots.
func (r *report) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "performance.md")
	if _, err := os.Stat(path); os.IsNotExist(err) {
		if err := os.WriteFile(path, []byte("<!-- bench -->\n<!-- end -->\n"), 0o644); err != nil {
			return err
		}
	}
	page := strings.TrimRight(r.page.String(), "\n")
	if err := markdown.Write(path, "bench", "\n"+page+"\n\n"); err != nil {
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
