//go:build linux

package docs

import (
	"encoding/xml"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// TestPicture checks that docs/demo.svg has the lines of make demo, but for numbers, and that the size in it is that of the
// binary of today, but for one percent. The first line is there from the beginning, and all are where nothing is animated.
func TestPicture(t *testing.T) {
	var picture struct {
		Style string   `xml:"style"`
		Lines []string `xml:"text"`
	}
	if err := xml.Unmarshal([]byte(harness.Source(t, "docs/demo.svg")), &picture); err != nil {
		t.Fatal(err)
	}
	printed := "$ make demo\n" + harness.Must(t, "sh", "-c", `exec 2>&1; cd "$0" && make -s demo`, harness.Root())
	shown := strings.Join(picture.Lines, "\n") + "\n"
	if !slices.Equal(sorted(shown), sorted(printed)) {
		t.Errorf("got a picture of\n%s\nwant (make demo-picture)\n%s", shown, printed)
	}
	then, now := size(t, shown), size(t, printed)
	if then < now*99/100 || then > now*101/100 {
		t.Errorf("got a picture with %d bytes, want %d or so (make demo-picture)", then, now)
	}
	if strings.Contains(picture.Style, ".l0{") || !strings.Contains(picture.Style, ".l1{") || strings.Contains(picture.Style, "text{opacity") {
		t.Errorf("got the style %s, want the first line there from the beginning", picture.Style)
	}
}

// size is that of the binary, in a line of make build.
func size(t *testing.T, text string) int {
	t.Helper()
	m := regexp.MustCompile(`envoy-wait: (\d+) bytes`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("got %q, want a size in it", text)
	}
	bytes, _ := strconv.Atoi(m[1])
	return bytes
}

// sorted returns the lines of text with N for each number. Programs that write at one moment have no order.
func sorted(text string) []string {
	return slices.Sorted(strings.Lines(regexp.MustCompile(`[0-9.]+(ms)?`).ReplaceAllString(text, "N")))
}
