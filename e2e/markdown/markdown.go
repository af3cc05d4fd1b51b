// Package markdown reads and writes the Markdown files of this repository.
package markdown

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Block is a fenced block.
type Block struct {
	Before   string // the last line before the block that is not empty
	Language string // the word behind the opening fence
	Text     string
	at       int // of Text in the document
}

var fenced = regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")

// Blocks returns the fenced blocks of a document, in their order.
func Blocks(document string) (blocks []Block) {
	for _, m := range fenced.FindAllStringSubmatchIndex(document, -1) {
		before := strings.TrimRight(document[:m[0]], "\n ")
		blocks = append(blocks, Block{
			Before:   before[strings.LastIndex(before, "\n")+1:],
			Language: document[m[2]:m[3]], Text: document[m[4]:m[5]], at: m[4],
		})
	}
	return blocks
}

// In returns the texts of the blocks in that language.
func In(document, language string) (texts []string) {
	for _, b := range Blocks(document) {
		if b.Language == language {
			texts = append(texts, b.Text)
		}
	}
	return texts
}

// WithoutBlocks is the document without its fenced blocks.
func WithoutBlocks(document string) string { return fenced.ReplaceAllString(document, "") }

// ReplaceBlock returns the document with another text in one of its blocks.
func ReplaceBlock(document string, b Block, text string) string {
	return document[:b.at] + text + document[b.at+len(b.Text):]
}

// Table returns the cells of the first table of a document: its head, then its rows.
func Table(document string) (rows [][]string) {
	for line := range strings.Lines(document) {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "|-"): // the rule below the head
		case strings.HasPrefix(line, "|"):
			var cells []string
			for cell := range strings.SplitSeq(strings.Trim(line, "|"), "|") {
				cells = append(cells, strings.TrimSpace(cell))
			}
			rows = append(rows, cells)
		case rows != nil:
			return rows
		}
	}
	return rows
}

// Replace returns the document with text, as it stands, between the lines "<!-- name -->" and "<!-- end -->". Words
// may follow the name: "<!-- name: words -->".
func Replace(document, name, text string) (string, error) {
	marks := regexp.MustCompile(`(?s)(<!-- ` + regexp.QuoteMeta(name) + `(?:: [^\n]*)? -->\n).*?(<!-- end -->)`)
	place := marks.FindStringSubmatchIndex(document)
	if place == nil {
		return "", fmt.Errorf("no lines <!-- %s --> and <!-- end -->", name)
	}
	return document[:place[3]] + text + document[place[4]:], nil
}

// Write is Replace in a file.
func Write(path, name, text string) error {
	document, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	replaced, err := Replace(string(document), name, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(replaced), 0o644)
}
