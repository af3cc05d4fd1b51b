//go:build linux

package words

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

func TestReadmeIsShort(t *testing.T) {
	const columns = 120
	lines := strings.Split(strings.TrimSuffix(harness.Source(t, "README.md"), "\n"), "\n")
	if len(lines) > 150 {
		t.Errorf("got %d lines, want 150 at most", len(lines))
	}
	for i, line := range lines {
		if width := utf8.RuneCountInString(line); width > columns {
			t.Errorf("README.md:%d: got %d columns, want %d at most", i+1, width, columns)
		}
	}
	// What people look for, and the traps of the first Dockerfile.
	screen := strings.Join(lines[:60], "\n")
	harness.WantIn(t, screen, "ECONNREFUSED", "Envoy sidecar", "never completes", "cannot be rebuilt", "Vault", `"--quit"`,
		"initContainers[*].name", "ambient", "--on-timeout fail", "`start`", "ENVOY_WAIT_DISABLED", `ENTRYPOINT ["envoy-wait", "--"]`, "CMD",
		`["tini", "--", "envoy-wait", "--", "app"]`, "exec envoy-wait", "your registry")
}

// budgets are the most words of a page, or of several together, as wc -w counts them.
var budgets = []struct {
	most  int
	pages []string
}{
	{900, []string{"README.md"}},
	{1000, []string{"docs/performance.md"}},
	{1800, []string{"docs/reliability.md"}},
	{2000, []string{"docs/troubleshooting.md"}},
	{1500, []string{"docs/migrating.md"}},
	{3300, []string{"docs/flags.md", "docs/kubernetes.md", "docs/compatibility.md", "SECURITY.md", "CONTRIBUTING.md"}},
}

// TestBudget counts the words of each page: whoever adds a sentence takes one out. make lint prints the counts.
func TestBudget(t *testing.T) {
	all := 0
	for _, budget := range budgets {
		together := 0
		for _, page := range budget.pages {
			words := len(strings.Fields(harness.Source(t, page)))
			t.Logf("%5d words: %s", words, page)
			together += words
		}
		if together > budget.most {
			t.Errorf("%s: got %d words, want %d at most", strings.Join(budget.pages, ", "), together, budget.most)
		}
		all += together
	}
	t.Logf("%5d words in all", all)
}

// TestLinks checks that each link within the repository leads somewhere.
func TestLinks(t *testing.T) {
	found := 0
	for _, path := range harness.Documents(t) {
		text := markdown.WithoutBlocks(harness.Source(t, path))
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
				t.Errorf("%s: the link %s: got %v, want a file", path, m[1], err)
			} else if anchor != "" && !hasHeading(harness.Source(t, to), anchor) {
				t.Errorf("%s: the link %s: got no such heading, want one", path, m[1])
			}
		}
	}
	if found < 20 {
		t.Errorf("got %d links, want at least 20", found)
	}
}

// TestVersionsAgree checks that README, docs, examples and deploy name the newest
// version of the changelog.
func TestVersionsAgree(t *testing.T) {
	named := versionsIn(t, `(?:ghcr\.io/envoy-wait/envoy-wait:|envoy-wait@v|download/v|\?ref=v|newTag: "|refs/tags/v)(\d+\.\d+\.\d+)`,
		"README.md", "SECURITY.md", "docs", "examples", "deploy", "Dockerfile*")
	if len(named) < 15 {
		t.Errorf("got %d versions, want at least 15", len(named))
	}
	for _, n := range named {
		harness.Want(t, n.where, n.version, harness.Version())
	}
}

// TestGoVersionsAgree checks that workflows and Dockerfiles build with one version of
// Go: the files of a release and its images have the same program.
func TestGoVersionsAgree(t *testing.T) {
	const pattern = `(?:golang:|go-version: |golang/)(1\.\d+(?:\.\d+)?)`
	want := versionsIn(t, pattern, "Dockerfile")[0].version
	others := versionsIn(t, pattern, ".github", "*Dockerfile*", "e2e/images", "e2e/release")
	if len(others) < 5 {
		t.Errorf("got %d versions, want at least 5", len(others))
	}
	for _, n := range others {
		harness.Want(t, n.where, n.version, want)
	}
}

// named is a version, and the file and words that name it.
type named struct{ where, version string }

// versionsIn returns the versions that the group of pattern finds in files of the repository.
func versionsIn(t *testing.T, pattern string, files ...string) (found []named) {
	t.Helper()
	list := append([]string{"-C", harness.Root(), "ls-files"}, files...)
	for _, path := range strings.Fields(harness.Must(t, "git", list...)) {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(harness.Source(t, path), -1) {
			found = append(found, named{path + ": the version in " + m[0], m[1]})
		}
	}
	if len(found) == 0 {
		t.Fatalf("got no version in %q, want one", files)
	}
	return found
}

// TestThreatModel checks that SECURITY.md points at tests that there are.
func TestThreatModel(t *testing.T) {
	functions := harness.Must(t, "git", "-C", harness.Root(), "grep", "-h", "-E", "^func (Test|Fuzz)", "--", "*_test.go")
	names := regexp.MustCompile("`((?:Test|Fuzz)[A-Za-z0-9]+)`").FindAllStringSubmatch(harness.Source(t, "SECURITY.md"), -1)
	if len(names) < 20 {
		t.Errorf("got %d tests, want at least 20", len(names))
	}
	for _, m := range names {
		if !strings.Contains(functions, "func "+m[1]+"(") {
			t.Errorf("SECURITY.md: got %s, want a test that there is", m[1])
		}
	}
}

// hasHeading reports whether a heading has that anchor, as GitHub makes them.
func hasHeading(text, anchor string) bool {
	text = markdown.WithoutBlocks(text)
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
	for _, path := range harness.Documents(t) {
		for _, sentence := range sentences(harness.Source(t, path)) {
			if words := len(strings.Fields(sentence)); words > most {
				t.Errorf("%s: got %d words, want %d at most: %s", path, words, most, sentence)
			}
		}
	}
}

func sentences(text string) (all []string) {
	text = markdown.WithoutBlocks(text)
	text = regexp.MustCompile(`(?s)<!--.*?-->`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`\]\([^)]*\)`).ReplaceAllString(text, "]")
	// The end of a paragraph, an item, a heading or a cell is the end of a sentence.
	text = regexp.MustCompile(`\n( *\n)+|\n *(- |\d+\. |#|\|)|[^\\]\|`).ReplaceAllString(text, "\x00")
	for part := range strings.SplitSeq(text, "\x00") {
		part = strings.Join(strings.Fields(part), " ")
		all = append(all, regexp.MustCompile(`[.?!:]+["*)]*( |$)`).Split(part, -1)...)
	}
	return all
}
