//go:build linux

package docs

import (
	"flag"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

var update = flag.Bool("update", false, "write the transcripts anew where they differ by more than times")

// block is a fenced block of a document.
type block struct {
	markdown.Block
	path   string
	number int // in its document, from 0
}

// blocks returns the fenced blocks of all documents in that language, or in any for "".
func blocks(t *testing.T, language string) (all []block) {
	t.Helper()
	for _, path := range harness.Documents(t) {
		for number, b := range markdown.Blocks(harness.Source(t, path)) {
			if language == "" || b.Language == language {
				all = append(all, block{b, path, number})
			}
		}
	}
	if len(all) == 0 {
		t.Fatalf("got no block of %s, want one", language)
	}
	return all
}

// blockWith returns the one block of docs/troubleshooting.md in that language that has the words.
func blockWith(t *testing.T, language, words string) (found block) {
	t.Helper()
	n := 0
	for _, b := range blocks(t, language) {
		if b.path == "docs/troubleshooting.md" && strings.Contains(b.Text, words) {
			found = b
			n++
		}
	}
	harness.Want(t, "blocks of docs/troubleshooting.md with "+words, n, 1)
	return found
}

// name is a block's in a list of tests.
func (b block) name() string {
	line, _, _ := strings.Cut(b.Text, "\n")
	return b.path + ": " + line
}

// replace writes a block anew.
func (b block) replace(t *testing.T, text string) {
	t.Helper()
	document := harness.Source(t, b.path)
	now := markdown.Blocks(document)[b.number] // others may have become longer
	harness.WriteFile(t, filepath.Join(harness.Root(), b.path), markdown.ReplaceBlock(document, now, text), 0o644)
}

// checked names the test for the blocks of each language.
var checked = map[string]string{
	"console":    "TestTranscripts runs it, and compares what it prints",
	"sh":         "TestScripts runs it",
	"yaml":       "TestYAML parses it",
	"dockerfile": "TestReadme in e2e/images builds it",
	"text":       "TestFilters checks the fields; there is no Cloud Logging here",
	"log":        "TestSampleOfTheRace compares it with the filter before it",
}

func TestEveryBlockIsChecked(t *testing.T) {
	found := map[string]int{}
	for _, b := range blocks(t, "") {
		found[b.path]++
		if checked[b.Language] == "" {
			t.Errorf("%s: got the language %q, want one that a test checks", b.name(), b.Language)
		}
		if b.Language == "dockerfile" && b.path != "README.md" {
			t.Errorf("%s: got a Dockerfile, want it in README.md: no other is built", b.name())
		}
	}
	for _, path := range harness.Documents(t) {
		fences := regexp.MustCompile("(?m)^ *```").FindAllString(harness.Source(t, path), -1)
		harness.Want(t, path+": fences", len(fences), 2*found[path])
	}
}
