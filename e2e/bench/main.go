//go:build linux

// Command bench measures envoy-wait beside other programs that start an app:
// start-up, the lag from ready to the app's first instruction, the cost of a wait,
// and what stays beside the app. All figures of a report come from one run.
// docs/performance.md says how to run it, method.md how it measures.
//
//	go run ./e2e/bench -binary bin/envoy-wait
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/bench/picture"
)

var parts = []string{"startup", "lag", "cost", "growth"}

type options struct {
	binary, baseline string
	others           []rival
	only             []string
	quick            bool
	out              string
}

func main() {
	o := options{only: parts}
	flag.StringVar(&o.binary, "binary", "bin/envoy-wait", "`path` of envoy-wait")
	flag.StringVar(&o.baseline, "baseline", "", "`path` of an older envoy-wait, to compare with")
	flag.Func("other", "another program to compare with, as `name=words`; see e2e/bench/method.md; repeatable", o.addOther)
	flag.Func("only", "`parts` to measure, separated by commas: "+strings.Join(parts, ", "), o.setOnly)
	flag.BoolVar(&o.quick, "quick", false, "measure less: under a minute, and rough figures")
	draw := flag.Bool("draw", false, "measure nothing: draw the picture of docs/performance.md from the table beside it")
	flag.StringVar(&o.out, "out", "", "`directory` for all tables (default bin/bench); docs then stays as it is")
	flag.Parse()
	do := func() error { return run(&o) }
	if *draw {
		do = func() error { return picture.Draw("docs") }
	}
	if err := do(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func (o *options) addOther(text string) error {
	name, words, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.TrimSpace(words) == "" {
		return fmt.Errorf("want name=words")
	}
	o.others = append(o.others, parseRival(name, words))
	return nil
}

func (o *options) setOnly(text string) error {
	o.only = strings.Split(text, ",")
	for _, part := range o.only {
		if !slices.Contains(parts, part) {
			return fmt.Errorf("want some of %s", strings.Join(parts, ","))
		}
	}
	return nil
}

// plan is how much is measured.
type plan struct {
	starts  int             // of each program
	waits   int             // of each program, kind and length
	lengths []time.Duration // of the waits whose lag is taken
	costs   []time.Duration // of the waits whose cost is taken
	growth  time.Duration   // of the waits whose memory is watched
}

var (
	full = plan{
		starts: 300, waits: 40,
		lengths: []time.Duration{500 * time.Millisecond, 3 * time.Second, 10 * time.Second, 30 * time.Second},
		costs:   []time.Duration{30 * time.Second, 2 * time.Minute},
		growth:  10 * time.Minute,
	}
	quick = plan{
		starts: 20, waits: 8,
		lengths: []time.Duration{500 * time.Millisecond, 3 * time.Second},
		costs:   []time.Duration{10 * time.Second},
		growth:  20 * time.Second,
	}
)

func run(o *options) error {
	b, err := newBench()
	if err != nil {
		return err
	}
	defer b.close() // after stop, which ends the long waits
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	r := &report{plan: full}
	if o.quick {
		r.plan = quick
	}
	if err := r.sayMachine(o); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		phases = slices.DeleteFunc(phases, func(p state) bool { return p == gated })
		r.print("Left out, since it needs root: " + string(gated) + ".\n\n")
	}
	waiters, starters := b.rivals(o)
	waiters, starters = r.installed(waiters), r.installed(starters)
	page := o.out == "" && !o.quick && len(o.only) == len(parts)
	if page {
		if err := pageNeeds(waiters); err != nil {
			return err
		}
	}
	if err := errors.Join(b.copyAll(waiters), b.copyAll(starters)); err != nil {
		return err
	}

	var awaitGrowth func() ([]*growth, error)
	if slices.Contains(o.only, "growth") { // beside all else
		awaitGrowth = b.beginGrowth(ctx, own(waiters), r.plan.growth)
	}
	for _, step := range []struct {
		part string
		do   func() error
	}{
		{"startup", func() error { return b.startUp(ctx, r, starters) }},
		{"startup", func() error { return b.beside(ctx, r, starters) }},
		{"lag", func() error { return b.lag(ctx, r, waiters) }},
		{"cost", func() error { return b.cost(ctx, r, waiters) }},
		{"growth", func() error { return r.showGrowth(awaitGrowth()) }},
	} {
		if !slices.Contains(o.only, step.part) {
			continue
		}
		start := pressureNow()
		if err := step.do(); err != nil {
			return err
		}
		r.print(start.since())
	}
	if o.baseline != "" {
		r.compare()
	}
	if err := r.publish(cmp.Or(o.out, filepath.Join("bin", "bench"))); err != nil {
		return err
	}
	if !page {
		return nil
	}
	return r.writePage()
}

func (r *report) sayMachine(o *options) error {
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	processor := runtime.GOARCH
	text, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, ok := strings.Cut(string(text), "model name"); ok {
		line, _, _ := strings.Cut(rest, "\n")
		processor = strings.TrimLeft(line, "\t: ")
	}
	r.machine = fmt.Sprintf("%s, %d cores of %s, Linux %s, %s.\n\n", time.Now().UTC().Format("2 January 2006"),
		runtime.NumCPU(), processor, strings.TrimSpace(string(kernel)), runtime.Version())
	for _, build := range []struct{ name, path string }{{nameOwn, o.binary}, {nameBaseline, o.baseline}} {
		if build.path == "" {
			continue
		}
		version, err := exec.Command(build.path, "--version").Output()
		if err != nil {
			return fmt.Errorf("%s --version: %w", build.path, err)
		}
		r.machine += fmt.Sprintf("%q is %s.\n\n", build.name, strings.TrimSpace(string(version)))
	}
	r.print(r.machine)
	return nil
}
