// Command picture draws what a command prints as an SVG: each line appears when it was printed. Where nothing is
// animated all lines are there.
//
//	make -s demo 2>&1 | go run ./e2e/demo/picture 'make demo' > docs/demo.svg
package main

import (
	"bufio"
	"fmt"
	"html"
	"os"
	"strings"
	"time"
)

const (
	lineHeight = 20
	margin     = 20
	charWidth  = 8.43 // of a monospace font of 14 px
	pause      = 6 * time.Second
)

type line struct {
	text string
	at   time.Duration
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: COMMAND | picture COMMAND")
		os.Exit(2)
	}
	lines, start := []line{{text: "$ " + os.Args[1]}}, time.Now()
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		lines = append(lines, line{in.Text(), time.Since(start)})
	}
	fmt.Print(draw(lines, time.Since(start)+pause))
}

// draw returns a picture that begins anew after so long.
func draw(lines []line, period time.Duration) string {
	columns := 0
	for _, l := range lines {
		columns = max(columns, len([]rune(l.text)))
	}
	width, height := int(float64(columns)*charWidth)+2*margin, len(lines)*lineHeight+2*margin
	var style, text strings.Builder
	for i, l := range lines {
		class := ""
		if program, _, ok := strings.Cut(l.text, ": "); ok {
			class = program
		}
		fmt.Fprintf(&text, "<text class=\"l%d %s\" x=\"%d\" y=\"%d\">%s</text>\n", i, class, margin, margin+i*lineHeight+15, html.EscapeString(l.text))
		if l.at > 0 {
			fmt.Fprintf(&style, ".l%d{animation:l%[1]d %.1fs step-end infinite}@keyframes l%[1]d{0%%{opacity:0}%.1f%%{opacity:1}}\n",
				i, period.Seconds(), 100*l.at.Seconds()/period.Seconds())
		}
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 %d %d" width="%[1]d" height="%[2]d">
<title>make demo: the app alone is refused; behind envoy-wait it connects</title>
<style>
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre;fill:#c9d1d9}
.app{fill:#f0c674}.envoy-wait{fill:#8fd3a8}.sidecar{fill:#9ab7f0}
%s@media (prefers-reduced-motion:reduce){text{animation:none!important}}
</style>
<rect width="100%%" height="100%%" rx="6" fill="#20262e"/>
%s</svg>
`, width, height, style.String(), text.String())
}
