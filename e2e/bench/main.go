//go:build linux

// Command bench measures what envoy-wait costs, beside what else people use:
// start-up, the lag from ready to the app's first instruction, what a wait takes
// of the machine, what is left beside the app. All of one report comes from one
// run, since only ratios mean anything on a machine that is shared.
// docs/performance.md says how to run and to read it.
//
//	go run ./e2e/bench -binary bin/envoy-wait
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	var o options
	flag.StringVar(&o.binary, "binary", "bin/envoy-wait", "the `path` of envoy-wait")
	flag.StringVar(&o.baseline, "baseline", "", "the `path` of an older envoy-wait, to compare with")
	flag.Func("other", "another program to compare with, as `name=words`; see docs/performance.md; may be repeated", o.addOther)
	flag.BoolVar(&o.quick, "quick", false, "less of everything: under a minute, and rough figures")
	flag.StringVar(&o.out, "out", "", "the `directory` that gets the results; docs, or bin/bench if quick")
	flag.Parse()
	if o.out == "" {
		o.out = map[bool]string{false: "docs", true: filepath.Join("bin", "bench")}[o.quick]
	}
	if err := run(&o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

type options struct {
	binary, baseline string
	others           []rival
	quick            bool
	out              string
}

func (o *options) addOther(text string) error {
	name, words, ok := strings.Cut(text, "=")
	if !ok || name == "" || strings.TrimSpace(words) == "" {
		return fmt.Errorf("want name=words")
	}
	o.others = append(o.others, parseRival(name, words))
	return nil
}

func run(o *options) error {
	b, err := newBench()
	if err != nil {
		return err
	}
	defer b.close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	p := full
	if o.quick {
		p = quick
	}
	r := &results{Machine: thisMachine(), Plan: p}
	r.say("%s. %s", r.Machine, p)
	if err := r.sayVersions(o); err != nil {
		return err
	}

	waiters, starters := b.rivals(o)
	waiters, starters = r.installed(waiters), r.installed(starters)

	growth := b.beginGrowth(ctx, own(waiters), p.Growth)
	steps := []func() error{
		func() error { return b.startUp(ctx, r, starters) },
		func() error { return b.beside(ctx, r, starters) },
		func() error { return b.lag(ctx, r, waiters) },
		func() error { return b.cost(ctx, r, waiters) },
		func() (err error) {
			if r.Growth, err = growth(); err == nil {
				r.show("Peak memory of a long wait", r.growthTable())
			}
			return err
		},
	}
	for _, step := range steps {
		since := pressureNow()
		if err := step(); err != nil {
			return err
		}
		r.print(since.share())
	}
	return r.publish(o.out)
}

func (r *results) sayVersions(o *options) error {
	for _, build := range []struct{ name, path string }{{nameOwn, o.binary}, {nameBaseline, o.baseline}} {
		if build.path == "" {
			continue
		}
		version, err := exec.Command(build.path, "--version").Output()
		if err != nil {
			return fmt.Errorf("%s --version: %w", build.path, err)
		}
		r.say("%q is %s.", build.name, strings.TrimSpace(string(version)))
	}
	return nil
}

// plan is how much is measured.
type plan struct {
	Starts  int             // of each kind
	Waits   int             // of each kind and length
	Lengths []time.Duration // of the waits whose lag is taken
	Costs   []time.Duration // of the waits whose cost is taken
	Growth  time.Duration   // of the waits whose memory is watched
}

var (
	full = plan{
		Starts: 300, Waits: 40,
		Lengths: []time.Duration{500 * time.Millisecond, 3 * time.Second, 10 * time.Second, 30 * time.Second},
		Costs:   []time.Duration{30 * time.Second, 2 * time.Minute},
		Growth:  10 * time.Minute,
	}
	quick = plan{
		Starts: 20, Waits: 8,
		Lengths: []time.Duration{500 * time.Millisecond, 3 * time.Second},
		Costs:   []time.Duration{10 * time.Second},
		Growth:  20 * time.Second,
	}
)

func (p plan) String() string {
	return fmt.Sprintf("%d starts of each kind, %d waits of each kind and length, %s.", p.Starts, p.Waits, sideBySide(p.Lengths))
}

type machine struct {
	Date, Processor, Kernel, Go string
	Cores                       int
}

func thisMachine() machine {
	m := machine{
		Date: time.Now().UTC().Format("2 January 2006"), Processor: runtime.GOARCH,
		Go: runtime.Version(), Cores: runtime.NumCPU(),
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			m.Processor = strings.TrimSpace(value)
			break
		}
	}
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores of %s, Linux %s, %s", m.Date, m.Cores, m.Processor, m.Kernel, m.Go)
}
