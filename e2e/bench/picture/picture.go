// Package picture draws docs/performance-lag.svg from the table beside it in docs/performance.md.
package picture

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// Name is the file, beside the page.
const Name = "performance-lag.svg"

// Draw draws the picture of the page in that directory.
func Draw(dir string) error {
	page, err := os.ReadFile(filepath.Join(dir, "performance.md"))
	if err != nil {
		return err
	}
	_, beside, _ := strings.Cut(string(page), "]("+Name+")")
	drawn, err := draw(markdown.Table(beside))
	if err != nil {
		return fmt.Errorf("drawing %s: %w", Name, err)
	}
	return os.WriteFile(filepath.Join(dir, Name), []byte(drawn), 0o644)
}

// In pixels. The longest texts take 110 at the left and 140 at the right of the bars.
const (
	width, left = 700, 124
	perSecond   = 400 // the bars end at a second
	edge        = left + perSecond
	top, row    = 80, 20
)

// A background of its own, since a browser may be dark on a light page. Without a font's name, each browser takes one that it has.
const style = `<style>
  text { font: 13px sans-serif; fill: #1f2328 }
  .title, .wait, .own { font-weight: bold }
  .axis, .value { font-size: 12px }
  .value { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
  .axis { text-anchor: middle }
  .paper { fill: #ffffff }
  .grid { fill: #d1d9e0 }
  .bar { fill: #818b98 }
  .own.bar { fill: #0969da }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .value { stroke: #0d1117 }
    .paper { fill: #0d1117 }
    .grid { fill: #3d444d }
    .bar { fill: #9198a1 }
    .own.bar { fill: #4493f8 }
  }
</style>
`

// draw draws the rows of a table: a head, then a program each. Behind its name, a program has median and longest of each wait.
func draw(rows [][]string) (string, error) {
	if len(rows) < 2 || len(rows[0]) < 3 || len(rows[0])%2 == 0 {
		return "", fmt.Errorf("want a table of medians and longest lags, got %q", rows)
	}
	waits := len(rows[0]) / 2
	height := top + waits*(len(rows)*row+8)
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img">`+"\n", width, height)
	b.WriteString("<title>Lag from a ready sidecar to the start of the app</title>\n")
	fmt.Fprintf(&b, "<desc>For each of %d waits, a bar for each of %d programs. The table beside the picture has the same numbers.</desc>\n", waits, len(rows)-1)
	b.WriteString(style)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d"/>`+"\n", width, height)
	write := func(class string, x, y int, words string) {
		fmt.Fprintf(&b, `<text class="%s" x="%d" y="%d">%s</text>`+"\n", class, x, y, html.EscapeString(words))
	}
	rect := func(class string, x, y, width, height int) {
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="%d" height="%d"/>`+"\n", class, x, y, width, height)
	}
	write("title", 8, 22, "Lag: from a ready sidecar to the first instruction of the app")
	write("note", 8, 42, "Bar: median. Thin line: longest. The scale is linear. A cut and an arrow: longer than a second.")
	for quarter := range 5 {
		x := left + quarter*perSecond/4
		write("axis", x, top-10, fmt.Sprintf("%g s", float64(quarter)/4))
		rect("grid", x, top-4, 1, height-top)
	}
	y := top
	for column := 1; column < len(rows[0]); column += 2 {
		wait, _, _ := strings.Cut(rows[0][column], ":")
		write("wait", 8, y+15, wait)
		y += row
		for _, cells := range rows[1:] {
			if len(cells) != len(rows[0]) {
				return "", fmt.Errorf("want %d cells, got %q", len(rows[0]), cells)
			}
			median, err := length(cells[column])
			if err != nil {
				return "", err
			}
			longest, err := length(cells[column+1])
			if err != nil {
				return "", err
			}
			class := "bar"
			if cells[0] == "envoy-wait" {
				class = "own bar"
			}
			write(strings.Replace(class, "bar", "name", 1), 8, y+15, cells[0])
			rect(class, left, y+4, min(median, perSecond), 12)
			rect(class, left, y+9, min(longest, perSecond), 2)
			end := left + longest
			if longest > perSecond {
				fmt.Fprintf(&b, `<path class="%s" d="M%d %d l10 8 l-10 8 z"/>`+"\n", class, edge, y+2)
				fmt.Fprintf(&b, `<path class="paper" d="M%d %d l5 0 l-5 16 l-5 0 z"/>`+"\n", edge-12, y+2) // it is cut
				end = edge + 10
			}
			write("value", end+6, y+14, cells[column]+", up to "+cells[column+1])
			y += row
		}
		y += 8
	}
	return b.String() + "</svg>\n", nil
}

// length is the length of a bar for a figure of the table, such as "21.2 ms" or "8.18 s".
func length(cell string) (int, error) {
	lag, err := time.ParseDuration(strings.ReplaceAll(cell, " ", ""))
	return int((lag*perSecond + time.Second/2) / time.Second), err
}
