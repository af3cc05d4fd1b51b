//go:build linux

package docs

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

var update = flag.Bool("update", false, "write the transcripts anew where they differ by more than times")

// documents are the files that are checked, by their paths in the repository.
func documents(t *testing.T) []string {
	t.Helper()
	paths := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(harness.Root(), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			path, _ = filepath.Rel(harness.Root(), path)
			paths = append(paths, path)
		}
	}
	if len(paths) < 8 {
		t.Fatalf("got %q, want more", paths)
	}
	return paths
}

func read(t *testing.T, path string) string {
	t.Helper()
	return harness.ReadFile(t, filepath.Join(harness.Root(), path))
}

// block is a fenced block.
type block struct {
	path     string
	sidecar  string // what the comment before it says
	language string
	text     string
	whole    string // with the comment and the fences
}

var fence = regexp.MustCompile("(?ms)(?:^<!-- sidecar: ([^\n]*) -->\n+)?^( *)```([a-z]*)\n(.*?)^ *```$")

// blocks returns the fenced blocks of a document.
func blocks(t *testing.T, path string) (all []block) {
	t.Helper()
	text := read(t, path)
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		b := block{path: path, language: text[m[6]:m[7]], text: text[m[8]:m[9]], whole: text[m[0]:m[1]]}
		if m[2] >= 0 {
			b.sidecar = text[m[2]:m[3]]
		}
		all = append(all, b)
	}
	return all
}

// allBlocks are those of a language, in all documents.
func allBlocks(t *testing.T, language string) (all []block) {
	t.Helper()
	for _, path := range documents(t) {
		for _, b := range blocks(t, path) {
			if b.language == language {
				all = append(all, b)
			}
		}
	}
	return all
}

// name is a block's in a list of tests.
func (b block) name() string {
	line, _, _ := strings.Cut(b.text, "\n")
	return b.path + ": " + line
}

// checked are the languages of blocks, and where each is checked.
var checked = map[string]string{
	"console":    "TestTranscripts runs it, and compares what it prints",
	"sh":         "TestScripts runs it",
	"yaml":       "TestYAML parses it",
	"dockerfile": "TestReadme in e2e/images builds it",
	"text":       "TestFilters, since no Cloud Logging can be had",
}

func TestEveryBlockIsChecked(t *testing.T) {
	for _, path := range documents(t) {
		for _, b := range blocks(t, path) {
			if checked[b.language] == "" {
				t.Errorf("%s: nothing checks a block of the language %q", b.name(), b.language)
			}
			if b.language == "dockerfile" && path != "README.md" {
				t.Errorf("%s: only the Dockerfile of README.md is built", b.name())
			}
		}
		if fences := regexp.MustCompile("(?m)^ *```").FindAllString(read(t, path), -1); len(fences) != 2*len(blocks(t, path)) {
			t.Errorf("%s: got %d fences, want %d", path, len(fences), 2*len(blocks(t, path)))
		}
	}
}

// replace writes a block anew.
func (b block) replace(t *testing.T, text string) {
	t.Helper()
	path := filepath.Join(harness.Root(), b.path)
	content := strings.Replace(read(t, b.path), b.whole, strings.Replace(b.whole, b.text, text, 1), 1)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}
