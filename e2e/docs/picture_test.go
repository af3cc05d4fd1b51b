//go:build linux

package docs

import (
	"encoding/xml"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// TestPicture checks that docs/demo.svg shows what make demo prints, but for
// numbers.
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
	if strings.Count(printed, "\n") < 7 {
		t.Errorf("make demo printed only %s", printed)
	}
	for line := range strings.Lines("$ make demo\n" + printed) {
		if line = noNumbers(line); !shown[line] {
			t.Errorf("not in the picture, run make demo-picture: %s", line)
		}
	}
}

// noNumbers is a line without what differs from run to run.
func noNumbers(line string) string {
	line = strings.Join(strings.Fields(line), " ")
	return regexp.MustCompile(`[0-9.]+(ms)?`).ReplaceAllString(line, "N")
}
