package picture

import (
	"encoding/xml"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// docs is the directory of page and picture.
var docs = filepath.Join("..", "..", "..", "docs")

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// seen is the picture as a reader sees it: words and boxes at their places.
type seen struct {
	Width float64 `xml:"width,attr"`
	Title string  `xml:"title"`
	Desc  string  `xml:"desc"`
	Style string  `xml:"style"`
	Words []struct {
		X    float64 `xml:"x,attr"`
		Y    float64 `xml:"y,attr"`
		Text string  `xml:",chardata"`
	} `xml:"text"`
	Boxes []struct {
		X      float64 `xml:"x,attr"`
		Y      float64 `xml:"y,attr"`
		Width  float64 `xml:"width,attr"`
		Height float64 `xml:"height,attr"`
		Class  string  `xml:"class,attr"`
	} `xml:"rect"`
	Arrows []struct {
		Shape string `xml:"d,attr"`
		Class string `xml:"class,attr"`
	} `xml:"path"`
}

func look(t *testing.T) (s seen) {
	t.Helper()
	if err := xml.Unmarshal([]byte(read(t, Name)), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// bar is what stands beside a program's name, on its line.
type bar struct {
	words           string // behind the bar
	median, longest float64
	arrow           bool
}

// at is what stands on the line of words at y, to the right of x.
func (s seen) at(x, y float64) (b bar) {
	for _, w := range s.Words {
		if math.Abs(w.Y-y) <= 2 && w.X > x {
			b.words += w.Text
		}
	}
	height := 0.0
	for _, box := range s.Boxes {
		if !strings.Contains(box.Class, "bar") || y-box.Y < 0 || y-box.Y > 14 {
			continue
		}
		if b.longest = max(b.longest, box.Width); box.Height > height {
			b.median, height = box.Width, box.Height // the thick one
		}
	}
	for _, arrow := range s.Arrows {
		from := regexp.MustCompile(`^M\d+ (\d+) `).FindStringSubmatch(arrow.Shape)
		top, _ := strconv.ParseFloat(from[1], 64)
		b.arrow = b.arrow || strings.Contains(arrow.Class, "bar") && y-top >= 0 && y-top < 14
	}
	return b
}

// scale is the length of a second, and where it ends, by the words at the axis.
func (s seen) scale(t *testing.T) (perSecond, end float64) {
	t.Helper()
	zero, half := math.NaN(), math.NaN()
	for _, w := range s.Words {
		switch w.Text {
		case "0 s":
			zero = w.X
		case "0.5 s":
			half = w.X
		case "1 s":
			end = w.X
		}
	}
	if perSecond = end - zero; math.Abs(half-zero-perSecond/2) > 1 || !(perSecond > 0) {
		t.Fatalf("got 0 s at %v, 0.5 s at %v and 1 s at %v, want a linear scale", zero, half, end)
	}
	return perSecond, end
}

func inSeconds(t *testing.T, cell string) float64 {
	t.Helper()
	number, unit, _ := strings.Cut(cell, " ")
	value, err := strconv.ParseFloat(number, 64)
	factor := map[string]float64{"ms": 0.001, "s": 1}[unit]
	if err != nil || factor == 0 {
		t.Fatalf("got %q, want milliseconds or seconds", cell)
	}
	return value * factor
}

// TestPicture compares each number that is drawn, and the length of its bar, with the table beside the picture.
func TestPicture(t *testing.T) {
	s := look(t)
	perSecond, end := s.scale(t)
	lines := regexp.MustCompile(`(?s)\]\(` + regexp.QuoteMeta(Name) + `\)\n\n(.*?)\n\n`).FindStringSubmatch(read(t, "performance.md"))
	if lines == nil {
		t.Fatal("got no table below the picture, want one")
	}
	rows := strings.Split(lines[1], "\n")
	head := strings.Split(rows[0], "|")
	compared := 0
	for _, row := range rows[2:] {
		cells := strings.Split(row, "|")
		name := strings.TrimSpace(cells[1])
		for i := 2; i < len(head)-1; i += 2 {
			wait, _, _ := strings.Cut(strings.TrimSpace(head[i]), ":")
			median, longest := strings.TrimSpace(cells[i]), strings.TrimSpace(cells[i+1])
			b := s.barOf(t, wait, name)
			if want := median + ", up to " + longest; b.words != want {
				t.Errorf("%s, %s: got %q in the picture, want %q as in the table", name, wait, b.words, want)
			}
			for _, pair := range [][2]float64{{b.median, inSeconds(t, median)}, {b.longest, inSeconds(t, longest)}} {
				if want := perSecond * min(1, pair[1]); math.Abs(pair[0]-want) > 1 {
					t.Errorf("%s, %s: got a bar of %v for %v s, want %.1f", name, wait, pair[0], pair[1], want)
				}
			}
			if want := inSeconds(t, longest) > 1; b.arrow != want {
				t.Errorf("%s, %s: got %t, want %t: an arrow beyond %v", name, wait, b.arrow, want, end)
			}
			compared++
		}
	}
	if words := 2 + 5 + 3*(1+2*5); compared != 15 || len(s.Words) != words {
		t.Errorf("got %d bars and %d texts, want 15 for 5 programs and 3 waits, and %d", compared, len(s.Words), words)
	}
}

// barOf finds the name below the words for the wait.
func (s seen) barOf(t *testing.T, wait, name string) bar {
	t.Helper()
	for i, heading := range s.Words {
		if heading.Text != wait {
			continue
		}
		for _, w := range s.Words[i+1:] {
			if w.Text == name && w.Y > heading.Y {
				return s.at(w.X, w.Y)
			}
			if strings.HasPrefix(w.Text, "wait of ") {
				break
			}
		}
	}
	t.Fatalf("%s, %s: got no such line in the picture, want one", name, wait)
	return bar{}
}

// TestReadable checks that the picture fits a page, on white and in the dark, with any font.
func TestReadable(t *testing.T) {
	s := look(t)
	if s.Width != 700 || s.Title == "" || s.Desc == "" || !strings.Contains(s.Style, "prefers-color-scheme: dark") ||
		!strings.Contains(s.Style, "sans-serif") || s.Boxes[0].Class != "paper" || s.Boxes[0].Width != s.Width {
		t.Errorf("got %+v, want 700 pixels, title, description, colours for the dark, the system's font and a background", s)
	}
	const letter = 6.6 // pixels at a size of 12 or 13: the width of digits
	for _, w := range s.Words {
		if right := w.X + letter*float64(len(w.Text)); right > s.Width {
			t.Errorf("got %q up to %.0f, want it within %v", w.Text, right, s.Width)
		}
	}
}
