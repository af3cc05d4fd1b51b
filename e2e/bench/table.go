//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// table is a Markdown table, aligned so that it reads well as text too. The
// first row is its head.
type table [][]string

func (t *table) row(cells ...string) { *t = append(*t, cells) }

func (t table) String() string {
	widths := make([]int, len(t[0]))
	for _, row := range t {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for n, row := range t {
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if t.isText(i) {
				b.WriteString("| " + cell + pad + " ")
			} else {
				b.WriteString("| " + pad + cell + " ")
			}
		}
		b.WriteString("|\n")
		if n > 0 {
			continue
		}
		for i, width := range widths {
			if t.isText(i) {
				b.WriteString("|" + strings.Repeat("-", width+2))
			} else {
				b.WriteString("|" + strings.Repeat("-", width+1) + ":")
			}
		}
		b.WriteString("|\n")
	}
	return b.String()
}

// isText tells a column of words from one of figures, which goes to the right.
func (t table) isText(column int) bool {
	for _, row := range t[1:] {
		if cell := row[column]; cell != "" && (cell[0] < '0' || cell[0] > '9') && cell[0] != '?' || strings.HasPrefix(cell, "503") {
			return true
		}
	}
	return false
}

// quantile is the nearest of the values, not a mean of two.
func quantile[T cmp.Ordered](values []T, q float64) (v T) {
	if len(values) == 0 {
		return v
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func each[T, U any](list []T, f func(T) U) []U {
	out := make([]U, len(list))
	for i, v := range list {
		out[i] = f(v)
	}
	return out
}

func ratio(a, b []time.Duration) string {
	return times(float64(quantile(a, 0.5)), float64(quantile(b, 0.5)))
}

func times(a, b float64) string {
	if b == 0 {
		return "?"
	}
	return fmt.Sprintf("%.2f ×", a/b)
}

func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func ms(d time.Duration) string {
	return strconv.FormatFloat(millis(d), 'f', decimals(millis(d)), 64) + " ms"
}

// decimals leaves three significant figures.
func decimals(v float64) int {
	switch {
	case v < 10:
		return 2
	case v < 100:
		return 1
	default:
		return 0
	}
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + " s" }

func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', decimals(100*share), 64) + " %"
}

func kb(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)*1024/1e6) }

func bytesOf(n int64) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f MB", float64(n)/1e6)
}

func count(n int) string {
	if n < 0 {
		return "?"
	}
	return strconv.Itoa(n)
}
