//go:build linux

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

func TestReadmeIsShort(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(read(t, "README.md"), "\n"), "\n")
	if len(lines) > 150 {
		t.Errorf("got %d lines, want 150 at most", len(lines))
	}
	for i, line := range lines {
		if width := utf8.RuneCountInString(line); width > columns {
			t.Errorf("README.md:%d: got %d columns, want %d at most", i+1, width, columns)
		}
	}
}

// TestLinks checks that each link within the repository leads somewhere.
func TestLinks(t *testing.T) {
	found := 0
	for _, path := range documents(t) {
		text := fence.ReplaceAllString(read(t, path), "")
		for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
			target, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") {
				continue
			}
			found++
			to := path
			if target != "" {
				to = filepath.Join(filepath.Dir(path), target)
			}
			if _, err := os.Stat(filepath.Join(harness.Root(), to)); err != nil {
				t.Errorf("%s: the link %s: %v", path, m[1], err)
			} else if anchor != "" && !hasHeading(read(t, to), anchor) {
				t.Errorf("%s: the link %s: there is no such heading", path, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("got %d links, want more", found)
	}
}

// hasHeading reports whether a heading has that anchor, as GitHub makes them.
func hasHeading(text, anchor string) bool {
	text = fence.ReplaceAllString(text, "")
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(kept, " ", "-") == anchor {
			return true
		}
	}
	return false
}

// TestSentencesAreShort counts the words of each sentence, and of each cell of a
// table.
func TestSentencesAreShort(t *testing.T) {
	const most = 28
	for _, path := range documents(t) {
		if path == "docs/performance.md" {
			continue // the bench writes much of it
		}
		for _, sentence := range sentences(read(t, path)) {
			if words := len(strings.Fields(sentence)); words > most {
				t.Errorf("%s: got %d words, want %d at most: %s", path, words, most, sentence)
			}
		}
	}
}

func sentences(text string) (all []string) {
	text = fence.ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?s)<!--.*?-->`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\]\([^)]*\)`).ReplaceAllString(text, "]")
	// A paragraph, an item of a list, a heading and a cell end a sentence, too.
	text = regexp.MustCompile(`\n( *\n)+|\n *(- |\d+\. |#|\|)|[^\\]\|`).ReplaceAllString(text, "\x00")
	for part := range strings.SplitSeq(text, "\x00") {
		part = strings.Join(strings.Fields(part), " ")
		all = append(all, regexp.MustCompile(`[.?!:]+["*)]*( |$)`).Split(part, -1)...)
	}
	return all
}
