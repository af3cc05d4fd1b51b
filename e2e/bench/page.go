//go:build linux

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/bench/picture"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// What the tables of docs/performance.md have: these programs, before a sidecar of Istio.
var (
	onPage      = []string{nameOwn, nameShell, nameScuttle, nameDockerize, nameAgent}
	pageLengths = []time.Duration{3 * time.Second, 10 * time.Second, 30 * time.Second}
)

const pageCost = 30 * time.Second

// pageNeeds says what is missing to measure them.
func pageNeeds(rivals []rival) error {
	missing := slices.DeleteFunc(slices.Clone(onPage), func(name string) bool {
		return slices.ContainsFunc(rivals, func(r rival) bool { return r.name == name })
	})
	if !slices.Contains(phases, gated) {
		missing = append(missing, "root")
	}
	if len(missing) > 0 {
		return fmt.Errorf("docs/performance.md needs %s; -out bin/bench measures the others", strings.Join(missing, ", "))
	}
	return nil
}

// writePage writes the tables of docs/performance.md, and draws its picture from one of them.
func (r *report) writePage() error {
	text := "\n" + r.machine + r.lagOnPage() + r.startOnPage() + r.costOnPage()
	return errors.Join(markdown.Write(filepath.Join("docs", "performance.md"), "bench", text), picture.Draw("docs"))
}

func section(title, words string, t *table) string {
	return fmt.Sprintf("### %s\n\n%s\n\n%s\n", title, words, t)
}

// lagOnPage has the picture and the table from which it is drawn.
func (r *report) lagOnPage() string {
	head := []string{""}
	for _, length := range pageLengths {
		head = append(head, "wait of "+seconds(length)+": median", "longest")
	}
	t := newTable(1, head...)
	for _, name := range onPage {
		cells := []string{name}
		for _, length := range pageLengths {
			lags := lags(choose(r.waits, name, gated, length))
			cells = append(cells, short(quantile(lags, 0.5)), short(quantile(lags, 1)))
		}
		t.row(cells...)
	}
	return section("Lag", fmt.Sprintf("These are %d waits of envoy-wait, and %d of each other program.\n\n", r.plan.waits, r.plan.waits/4)+
		"![The lag of five programs after waits of 3, 10 and 30 seconds, as in the table below]("+picture.Name+")", t)
}

func (r *report) startOnPage() string {
	t := newTable(1, "", "first instruction of the app", "CPU time", "processes beside the app", "their memory", "size of the program")
	for _, c := range r.company {
		if s := r.start(c.name); slices.Contains(onPage, c.name) {
			t.row(c.name, short(quantile(s.first, 0.5)), ms(quantile(s.cpu, 0.5)), count(c.processes), megabytes(c.bytes), c.size)
		}
	}
	return section("Start-up, when the sidecar is ready", fmt.Sprintf("These are medians of %d starts. A direct start takes %s.",
		r.plan.starts, ms(quantile(r.start(nameDirect).first, 0.5))), t)
}

func (r *report) costOnPage() string {
	t := newTable(1, "", "CPU time", "peak memory", "requests to the sidecar", "lines of log")
	for _, name := range onPage {
		c := r.costOf(name, gated, pageCost)
		t.row(name, ms(c.CPU), megabytes(1024*c.PeakKB), count(c.Requests), count(c.LogLines))
	}
	return section("Cost of a wait of "+seconds(pageCost), "Istio's agent writes a warning for each 503.", t)
}

// short is a time in milliseconds, or from a second on in seconds.
func short(d time.Duration) string {
	if d < time.Second {
		return ms(d)
	}
	return figure(d.Seconds(), "s")
}
