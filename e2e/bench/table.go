//go:build linux

package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// table is a Markdown table, aligned for a terminal too.
type table struct {
	words int // columns of words, at the left; the others hold figures
	rows  [][]string
}

func newTable(words int, head ...string) *table { return &table{words, [][]string{head}} }

func (t *table) row(cells ...string) { t.rows = append(t.rows, cells) }

func (t *table) String() string {
	var b strings.Builder
	rule := ""
	widths := make([]int, len(t.rows[0]))
	for i := range widths {
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i]))
		}
		rule += "|-" + strings.Repeat("-", widths[i])
		if i < t.words {
			widths[i] = -widths[i] // to the left
			rule += "-"
		} else {
			rule += ":"
		}
	}
	for n, row := range t.rows {
		for i, cell := range row {
			fmt.Fprintf(&b, "| %*s ", widths[i], cell)
		}
		b.WriteString("|\n")
		if n == 0 {
			b.WriteString(rule + "|\n")
		}
	}
	return b.String()
}

// quantile is one of the values, not a mean of two.
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

// figure has three significant digits.
func figure(v float64, unit string) string {
	decimals := 0
	switch {
	case v < 10:
		decimals = 2
	case v < 100:
		decimals = 1
	}
	return fmt.Sprintf("%.*f %s", decimals, v, unit)
}

func ms(d time.Duration) string { return figure(1000*d.Seconds(), "ms") }

func seconds(d time.Duration) string { return fmt.Sprintf("%g s", d.Seconds()) }

func percent(share float64) string { return figure(100*share, "%") }

func megabytes(n int64) string { return figure(float64(n)/1e6, "MB") }

func times(a, b float64) string { return figure(a/b, "×") }

// ratio is the ratio of the medians.
func ratio(a, b []time.Duration) string {
	return times(float64(quantile(a, 0.5)), float64(quantile(b, 0.5)))
}

func count(n int) string {
	if n < 0 {
		return "?"
	}
	return fmt.Sprint(n)
}
