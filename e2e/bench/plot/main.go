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
	Refused         bool
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
	lag := figure{
		title: "Lag", label: "lag in seconds: median, least and most", bound: "longest pause of envoy-wait",
		value: func(w wait) float64 { return w.Lag.Seconds() },
		most:  func(wait time.Duration, refused bool) float64 { return pause(wait, refused).Seconds() },
	}
	attempts := figure{
		title: "Attempts", label: "attempts: median, least and most", bound: "most attempts of envoy-wait",
		value: func(w wait) float64 { return float64(w.Attempts) },
		most:  mostAttempts,
	}
	if err := lag.draw(in.Waits, filepath.Join(dir, "performance-lag.svg")); err != nil {
		return err
	}
	return attempts.draw(append(in.Waits, in.Costs...), filepath.Join(dir, "performance-attempts.svg"))
}

// pause is the longest pause that the contract allows after a wait of elapsed. It
// is not taken from probe: the plots check the program.
func pause(elapsed time.Duration, refused bool) time.Duration {
	if refused {
		return max(10*time.Millisecond, min(elapsed/50, 250*time.Millisecond))
	}
	return max(100*time.Millisecond, min(elapsed/20, 500*time.Millisecond))
}

// mostAttempts counts the attempts of a wait where an attempt takes no time.
func mostAttempts(wait time.Duration, refused bool) float64 {
	n := 1.0
	for t := time.Duration(0); t < wait; n++ {
		t += pause(t, refused)
	}
	return n
}

// figure has two panels with logarithmic axes: refused, and 503.
type figure struct {
	title, label, bound string
	value               func(wait) float64 // not positive: unknown
	most                func(length time.Duration, refused bool) float64
}

func (f figure) draw(waits []wait, path string) error {
	refused, unready := plot.New(), plot.New()
	if err := f.fill(refused, waits, true); err != nil {
		return err
	}
	if err := f.fill(unready, waits, false); err != nil {
		return err
	}
	refused.Title.Text = f.title + ", connections refused until ready"
	unready.Title.Text = f.title + ", 503 until ready"
	refused.Y.Label.Text = f.label
	refused.Y.Min = min(refused.Y.Min, unready.Y.Min)
	refused.Y.Max = max(refused.Y.Max, unready.Y.Max)
	unready.Y.Min, unready.Y.Max = refused.Y.Min, refused.Y.Max
	unready.Legend = plot.NewLegend()

	canvas := vgsvg.New(26*vg.Centimeter, 12*vg.Centimeter)
	area := draw.New(canvas)
	area.SetColor(color.White)
	area.Fill(area.Path())
	tiles := draw.Tiles{Rows: 1, Cols: 2, PadX: vg.Centimeter}
	areas := plot.Align([][]*plot.Plot{{refused, unready}}, tiles, area)
	refused.Draw(areas[0][0])
	unready.Draw(areas[0][1])

	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(file); err != nil {
		return err
	}
	return file.Close()
}

func (f figure) fill(p *plot.Plot, waits []wait, refused bool) error {
	waits = slices.DeleteFunc(slices.Clone(waits), func(w wait) bool { return w.Refused != refused || f.value(w) <= 0 })
	lengths := unique(waits, func(w wait) time.Duration { return w.Nominal })
	var ticks plot.ConstantTicks
	for _, length := range lengths {
		ticks = append(ticks, plot.Tick{Value: length.Seconds(), Label: strconv.FormatFloat(length.Seconds(), 'f', -1, 64)})
	}
	p.X.Label.Text = "length of the wait in seconds"
	p.X.Tick.Marker, p.Y.Tick.Marker = ticks, plot.LogTicks{Prec: -1}
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.Legend.Top, p.Legend.Left, p.Legend.Padding = true, true, vg.Points(2)
	bound := plotter.NewFunction(func(x float64) float64 { return f.most(time.Duration(x*float64(time.Second)), refused) })
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
