//go:build linux

package main

import (
	"bytes"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"time"
)

// plot has two panels of the same axes, both logarithmic: refused and 503.
type plot struct {
	title, yLabel string
	bound         string // what the bound is called
	xMin, xMax    float64
	yMin, yMax    float64
	panels        [2]panel

	value func(wait) float64 // of one wait; not positive where it is unknown
	q     float64            // the quantile that the line goes through
	most  func(length time.Duration, refused bool) float64
}

type panel struct {
	title string
	lines []line
	bound []point
}

// line is one rival: what was seen, and the line through it.
type line struct {
	name string
	dots []point
	path []point
}

type point struct{ x, y float64 }

// Sizes in pixels.
const (
	panelWidth, panelHeight = 410.0, 330.0
	marginLeft, marginTop   = 66.0, 112.0
	gap, marginBottom       = 30.0, 56.0
)

// colours are those of Okabe and Ito, which the colour-blind can tell apart.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"}

func (r *results) lagPlot() *plot {
	p := &plot{title: "Lag from ready to the app's first instruction, against the length of the wait",
		yLabel: "lag in seconds: each wait, and a line through the 95th percentiles",
		bound:  "longest pause of envoy-wait"}
	p.value, p.q = func(w wait) float64 { return w.Lag.Seconds() }, 0.95
	p.most = func(wait time.Duration, refused bool) float64 { return pause(wait, refused).Seconds() }
	p.fill(r, r.Waits)
	return p
}

func (r *results) attemptsPlot() *plot {
	p := &plot{title: "Attempts against the length of the wait",
		yLabel: "attempts: each wait, and a line through the medians",
		bound:  "most attempts of envoy-wait"}
	p.value, p.q = func(w wait) float64 { return float64(w.Attempts) }, 0.5
	p.most = func(wait time.Duration, refused bool) float64 { return float64(mostAttempts(wait, refused)) }
	p.fill(r, append(slices.Clone(r.Waits), r.Costs...))
	return p
}

// fill takes the values of the waits, and their quantile of each length.
func (p *plot) fill(r *results, waits []wait) {
	lengths := append(slices.Clone(r.Plan.Lengths), r.Plan.Costs...)
	slices.Sort(lengths)
	p.xMin, p.xMax = 0.75*waits[0].Nominal.Seconds(), 0
	p.yMin, p.yMax = math.Inf(1), 0
	for _, w := range waits {
		p.xMin, p.xMax = min(p.xMin, 0.75*w.Nominal.Seconds()), max(p.xMax, 1.3*w.Nominal.Seconds())
	}
	for i, refused := range []bool{true, false} {
		panel := &p.panels[i]
		panel.title = map[bool]string{true: "connection refused until ready", false: "503 until ready"}[refused]
		for _, s := range r.Starts { // the order of the tables
			if slices.ContainsFunc(waits, func(w wait) bool { return w.Name == s.Name }) {
				panel.lines = append(panel.lines, p.line(s.Name, refused, waits, slices.Compact(lengths)))
			}
		}
		for x := p.xMin; x <= p.xMax; x *= 1.02 {
			panel.bound = append(panel.bound, p.see(point{x, p.most(time.Duration(x*float64(time.Second)), refused)}))
		}
	}
	p.yMin, p.yMax = p.yMin/1.4, p.yMax*1.4
}

func (p *plot) line(name string, refused bool, waits []wait, lengths []time.Duration) line {
	l := line{name: name}
	for _, length := range lengths {
		var values []float64
		for _, w := range choose(waits, name, refused, length) {
			if v := p.value(w); v > 0 {
				l.dots = append(l.dots, p.see(point{w.Length.Seconds(), v}))
				values = append(values, v)
			}
		}
		if values != nil {
			l.path = append(l.path, point{length.Seconds(), quantile(values, p.q)})
		}
	}
	return l
}

// see makes room for a point.
func (p *plot) see(at point) point {
	p.yMin, p.yMax = min(p.yMin, at.y), max(p.yMax, at.y)
	return at
}

func (p *plot) svg() []byte {
	var b bytes.Buffer
	width := marginLeft + 2*panelWidth + gap + 20
	height := marginTop + panelHeight + marginBottom
	write := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	write(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="DejaVu Sans, Verdana, sans-serif" font-size="12" fill="#222">`,
		width, height, width, height)
	write(`<title>%s</title>`, html.EscapeString(p.title))
	write(`<rect width="100%%" height="100%%" fill="#ffffff"/>`)
	write(`<text x="%.0f" y="26" font-size="16" font-weight="bold">%s</text>`, marginLeft, html.EscapeString(p.title))
	p.legend(write)
	for i := range p.panels {
		write(`<g transform="translate(%.0f %.0f)">`, marginLeft+float64(i)*(panelWidth+gap), marginTop)
		p.axes(write, p.panels[i].title, i == 0)
		p.panels[i].draw(write, p)
		write(`</g>`)
	}
	write(`<text transform="translate(16 %.0f) rotate(-90)" text-anchor="middle">%s</text>`, marginTop+panelHeight/2, html.EscapeString(p.yLabel))
	write(`</svg>`)
	return b.Bytes()
}

type writer func(format string, args ...any)

func (p *plot) legend(write writer) {
	x := marginLeft
	item := func(name, stroke string) {
		write(`<line x1="%.0f" y1="54" x2="%.0f" y2="54" %s/>`, x, x+28, stroke)
		write(`<text x="%.0f" y="58">%s</text>`, x+34, html.EscapeString(name))
		x += 60 + 7*float64(len(name))
	}
	for i, l := range p.panels[0].lines {
		item(l.name, fmt.Sprintf(`stroke="%s" stroke-width="2.5"`, colours[i%len(colours)]))
	}
	item(p.bound, boundStroke)
}

const boundStroke = `stroke="#444" stroke-width="1.5" stroke-dasharray="6 4"`

func (p *plot) x(v float64) float64 {
	return panelWidth * math.Log(v/p.xMin) / math.Log(p.xMax/p.xMin)
}

func (p *plot) y(v float64) float64 {
	return panelHeight * (1 - math.Log(v/p.yMin)/math.Log(p.yMax/p.yMin))
}

func (p *plot) axes(write writer, title string, numbers bool) {
	write(`<text x="%.0f" y="-12" text-anchor="middle" font-weight="bold">%s</text>`, panelWidth/2, html.EscapeString(title))
	for _, v := range ticks(p.xMin, p.xMax) {
		write(`<line x1="%.1f" y1="0" x2="%.1f" y2="%.0f" stroke="#e4e4e4"/>`, p.x(v), p.x(v), panelHeight)
		write(`<text x="%.1f" y="%.0f" text-anchor="middle">%s</text>`, p.x(v), panelHeight+18, strconv.FormatFloat(v, 'f', -1, 64))
	}
	for _, v := range ticks(p.yMin, p.yMax) {
		write(`<line x1="0" y1="%.1f" x2="%.0f" y2="%.1f" stroke="#e4e4e4"/>`, p.y(v), panelWidth, p.y(v))
		if numbers {
			write(`<text x="-8" y="%.1f" text-anchor="end">%s</text>`, p.y(v)+4, strconv.FormatFloat(v, 'f', -1, 64))
		}
	}
	write(`<rect width="%.0f" height="%.0f" fill="none" stroke="#888"/>`, panelWidth, panelHeight)
	write(`<text x="%.0f" y="%.0f" text-anchor="middle">length of the wait in seconds</text>`, panelWidth/2, panelHeight+40)
}

func (l panel) draw(write writer, p *plot) {
	for i, line := range l.lines {
		write(`<g fill="%s" fill-opacity="0.4">`, colours[i%len(colours)])
		for _, dot := range line.dots {
			write(`<circle cx="%.1f" cy="%.1f" r="2"/>`, p.x(dot.x), p.y(dot.y))
		}
		write(`</g>`)
	}
	write(`<polyline fill="none" %s points="%s"/>`, boundStroke, p.points(l.bound))
	for i, line := range l.lines {
		colour := colours[i%len(colours)]
		write(`<polyline fill="none" stroke="%s" stroke-width="2.5" points="%s"/>`, colour, p.points(line.path))
		for _, at := range line.path {
			write(`<circle cx="%.1f" cy="%.1f" r="4" fill="%s" stroke="#fff"/>`, p.x(at.x), p.y(at.y), colour)
		}
	}
}

func (p *plot) points(path []point) string {
	var b bytes.Buffer
	for _, at := range path {
		fmt.Fprintf(&b, "%.1f,%.1f ", p.x(at.x), p.y(at.y))
	}
	return b.String()
}

// ticks are 1, 3, 10, 30 and so on.
func ticks(low, high float64) (values []float64) {
	for exponent := -4.0; exponent < 5; exponent++ {
		for _, digit := range []float64{1, 3} {
			v, _ := strconv.ParseFloat(fmt.Sprintf("%ge%g", digit, exponent), 64)
			if v >= low && v <= high {
				values = append(values, v)
			}
		}
	}
	return values
}
