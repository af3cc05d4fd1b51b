// Command plot draws the plots of docs/performance.md. The bench runs it. It is a
// module of its own, so that its library stays out of envoy-wait's go.mod.
//
//	plot DIRECTORY <waits.json
package main

import (
	"encoding/json"
	"fmt"
	"image/color"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// wait is the part of the bench's wait that is drawn.
type wait struct {
	Name            string
	Phase           string
	Nominal, Length time.Duration
	Lag             time.Duration
	Attempts        int // -1: unknown
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	plot.DefaultFont.Variant = "Sans"
	plotutil.DefaultColors = plotutil.DarkColors
	var in struct{ Waits, Costs []wait }
	if err := json.NewDecoder(os.Stdin).Decode(&in); err != nil {
		return err
	}
	lags := figure{
		title: "Lag", label: "lag in seconds: median, least and most", bound: "longest pause of envoy-wait",
		value: func(w wait) float64 { return w.Lag.Seconds() },
		most:  func(wait time.Duration, phase string) float64 { return lag(wait, phase).Seconds() },
	}
	attempts := figure{
		title: "Attempts", label: "attempts: median, least and most", bound: "most attempts of envoy-wait",
		value: func(w wait) float64 { return float64(w.Attempts) },
		most:  mostAttempts,
	}
	if err := lags.draw(in.Waits, filepath.Join(dir, "performance-lag.svg")); err != nil {
		return err
	}
	return attempts.draw(append(in.Waits, in.Costs...), filepath.Join(dir, "performance-attempts.svg"))
}

// The phases of a sidecar until it is ready, as the bench calls them.
const (
	refused = "refused"
	unready = "503"
	gated   = "503, 15021 refused"
)

// lag is the longest pause that the contract allows between two looks at the sidecar,
// after a wait of elapsed. It is not taken from probe: the plots check the program.
func lag(elapsed time.Duration, phase string) time.Duration {
	if phase == unready {
		return max(100*time.Millisecond, min(elapsed/20, 500*time.Millisecond))
	}
	return max(10*time.Millisecond, min(elapsed/50, 250*time.Millisecond))
}

// pause is the longest one between two attempts.
func pause(elapsed time.Duration, phase string) time.Duration {
	if phase == gated {
		return max(400*time.Millisecond, min(elapsed/5, 2*time.Second))
	}
	return lag(elapsed, phase)
}

// mostAttempts counts the attempts of a wait where an attempt takes no time.
func mostAttempts(wait time.Duration, phase string) float64 {
	n := 1.0
	if phase == gated {
		n += 2 // when the gate opens
	}
	for t := time.Duration(0); t < wait; n++ {
		t += pause(t, phase)
	}
	return n
}

// figure has a panel with logarithmic axes for each phase.
type figure struct {
	title, label, bound string
	value               func(wait) float64 // not positive: unknown
	most                func(length time.Duration, phase string) float64
}

func (f figure) draw(waits []wait, path string) error {
	var panels []*plot.Plot
	low, high := math.Inf(1), math.Inf(-1)
	for _, phase := range []string{refused, unready, gated} {
		if !slices.ContainsFunc(waits, func(w wait) bool { return w.Phase == phase }) {
			continue // the third needs root
		}
		p := plot.New()
		if err := f.fill(p, waits, phase); err != nil {
			return err
		}
		p.Title.Text = f.title + ": " + phase + " until ready"
		low, high = min(low, p.Y.Min), max(high, p.Y.Max)
		panels = append(panels, p)
	}
	panels[0].Y.Label.Text = f.label

	canvas := vgsvg.New(vg.Length(13*len(panels))*vg.Centimeter, 14*vg.Centimeter)
	area := draw.New(canvas)
	area.SetColor(color.White)
	area.Fill(area.Path())
	tiles := draw.Tiles{Rows: 1, Cols: len(panels), PadX: vg.Centimeter}
	for i, p := range panels {
		p.Y.Min, p.Y.Max = low, high
		if i < len(panels)-1 {
			p.Legend = plot.NewLegend() // the last has all programs
		}
	}
	for i, a := range plot.Align([][]*plot.Plot{panels}, tiles, area)[0] {
		panels[i].Draw(a)
	}

	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(file); err != nil {
		return err
	}
	return file.Close()
}

func (f figure) fill(p *plot.Plot, waits []wait, phase string) error {
	waits = slices.DeleteFunc(slices.Clone(waits), func(w wait) bool { return w.Phase != phase || f.value(w) <= 0 })
	lengths := unique(waits, func(w wait) time.Duration { return w.Nominal })
	var ticks plot.ConstantTicks
	for _, length := range lengths {
		ticks = append(ticks, plot.Tick{Value: length.Seconds(), Label: strconv.FormatFloat(length.Seconds(), 'f', -1, 64)})
	}
	p.X.Label.Text = "length of the wait in seconds"
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks, plot.LogTicks{Prec: -1}
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, vg.Points(2)
	bound := plotter.NewFunction(func(x float64) float64 { return f.most(time.Duration(x*float64(time.Second)), phase) })
	bound.Samples = 500
	bound.Dashes = plotutil.Dashes(1)
	p.Add(plotter.NewGrid(), bound)
	p.Legend.Add(f.bound, bound)

	var lines []any
	var bars []interface {
		plotter.XYer
		plotter.YErrorer
	}
	for _, name := range unique(waits, func(w wait) string { return w.Name }) {
		points := map[time.Duration]plotter.XYs{}
		for _, w := range waits {
			if w.Name == name {
				points[w.Nominal] = append(points[w.Nominal], plotter.XY{X: w.Length.Seconds(), Y: f.value(w)})
			}
		}
		var groups []plotter.XYer
		for _, length := range slices.Sorted(maps.Keys(points)) {
			groups = append(groups, points[length])
		}
		medians, err := plotutil.NewErrorPoints(plotutil.MedianAndMinMax, groups...)
		if err != nil {
			return err
		}
		for i := range medians.XYs { // the bars side by side
			medians.XYs[i].X *= 1 + 0.04*float64(len(bars))
		}
		lines, bars = append(lines, name, medians), append(bars, medians)
	}
	if err := plotutil.AddLinePoints(p, lines...); err != nil {
		return err
	}
	if err := plotutil.AddYErrorBars(p, bars...); err != nil {
		return err
	}
	return nil
}

func unique[T ~int64 | ~string](waits []wait, of func(wait) T) []T {
	set := map[T]bool{}
	for _, w := range waits {
		set[of(w)] = true
	}
	return slices.Sorted(maps.Keys(set))
}
