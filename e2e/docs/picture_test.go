//go:build linux

package docs

import (
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// TestPicture checks that docs/demo.svg has each line of make demo, but for numbers.
func TestPicture(t *testing.T) {
	var picture struct {
		Inner struct {
			Lines []struct {
				Words []string `xml:"text"`
			} `xml:"g>defs>symbol"`
		} `xml:"svg"`
	}
	// The first svg within the picture draws the buttons of a window.
	text := regexp.MustCompile(`(?s)<svg y="0%" x="0%">.*?</svg>`).ReplaceAllString(harness.Source(t, "docs/demo.svg"), "")
	if err := xml.Unmarshal([]byte(text), &picture); err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, line := range picture.Inner.Lines {
		shown[noNumbers(strings.Join(line.Words, " "))] = true
	}
	printed := harness.Must(t, "sh", "-c", `exec 2>&1; cd "$0" && make -s demo`, harness.Root())
	if lines := strings.Count(printed, "\n"); lines < 7 {
		t.Errorf("got %d lines of make demo, want at least 7: %s", lines, printed)
	}
	for line := range strings.Lines("$ make demo\n" + printed) {
		if line = noNumbers(line); !shown[line] {
			t.Errorf("got a picture without it, want the line (make demo-picture): %s", line)
		}
	}
}

// noNumbers is a line with N for each number.
func noNumbers(line string) string {
	line = strings.Join(strings.Fields(line), " ")
	return regexp.MustCompile(`[0-9.]+(ms)?`).ReplaceAllString(line, "N")
}
