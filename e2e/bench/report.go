//go:build linux

package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed method.md
var method string

// report has the figures, and all tables of them.
type report struct {
	plan    plan
	machine string
	starts  []start
	company []company

	waits, costs []wait

	results bytes.Buffer
}

func (r *report) show(title string, t *table) { r.print("### " + title + "\n\n" + t.String() + "\n") }

func (r *report) print(text string) {
	fmt.Print(text)
	r.results.WriteString(text)
}

// publish writes all tables into a file of that directory, below the words about the method.
func (r *report) publish(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	path := filepath.Join(dir, "results.md")
	fmt.Println("All tables are in " + path + ".")
	return os.WriteFile(path, []byte(method+"\n## Results\n\n"+r.results.String()), 0o644)
}
