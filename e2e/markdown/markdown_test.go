package markdown

import (
	"slices"
	"strings"
	"testing"
)

const document = `# A page

Run this:

` + "```sh\necho $HOME\n```" + `

<!-- sidecar: 503 -->
` + "```console\n$ x\n```" + `

<!-- flags: written by make docs -->
old
<!-- end -->

<!-- races -->
old, too
<!-- end -->
`

func TestBlocks(t *testing.T) {
	blocks := Blocks(document)
	if len(blocks) != 2 {
		t.Fatalf("got %d blocks, want 2", len(blocks))
	}
	for i, want := range []Block{
		{Before: "Run this:", Language: "sh", Text: "echo $HOME\n"},
		{Before: "<!-- sidecar: 503 -->", Language: "console", Text: "$ x\n"},
	} {
		got := blocks[i]
		if got.at = 0; got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got, want := In(document, "console"), []string{"$ x\n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := ReplaceBlock(document, blocks[1], "$ y\n"), strings.Replace(document, "$ x", "$ y", 1); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if got := WithoutBlocks(document); strings.Contains(got, "```") || !strings.Contains(got, "<!-- sidecar") {
		t.Errorf("got %s\nwant all but the blocks", got)
	}
}

func TestTable(t *testing.T) {
	got := Table("Words.\n\n|   | x: y | z |\n|---|-----:|--:|\n| a | 1 ms |   |\n\n| other |\n")
	want := [][]string{{"", "x: y", "z"}, {"a", "1 ms", ""}}
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestReplace(t *testing.T) {
	for name, old := range map[string]string{"flags": "old\n", "races": "old, too\n"} {
		got, err := Replace(document, name, "$1 new\n")
		if want := strings.Replace(document, old, "$1 new\n", 1); err != nil || got != want {
			t.Errorf("%s: got %s, %v\nwant %s", name, got, err, want)
		}
	}
	if got, err := Replace(document, "faults", "new"); err == nil {
		t.Errorf("got %s, want an error: there is no such place", got)
	}
}
