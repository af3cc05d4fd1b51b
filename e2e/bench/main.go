// Command bench measures what envoy-wait costs: start-up when the sidecar is
// ready already, beside a direct start and beside a Go program that only execs,
// and the lag from ready to the app's first instruction. All of one table comes
// from one run, since only ratios mean anything on a machine that is shared.
//
//	go run ./e2e/bench -binary bin/envoy-wait
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/agent"
)

func main() {
	binary := flag.String("binary", "bin/envoy-wait", "the `path` of envoy-wait")
	rounds := flag.Int("rounds", 100, "starts of each kind")
	waits := flag.Int("waits", 24, "waits of each kind and length")
	flag.Parse()
	if err := run(*binary, *rounds, *waits); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(binary string, rounds, waits int) error {
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	fmt.Printf("size: %d bytes\n\n", info.Size())
	if err := startUp(binary, rounds); err != nil {
		return err
	}
	return lag(binary, waits)
}

// startUp compares whole starts of true, one of each kind in turn.
func startUp(binary string, rounds int) error {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	execs := filepath.Join(dir, "execs")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", execs, "./e2e/bench/execs")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	a, url, err := serve("127.0.0.1:0")
	if err != nil {
		return err
	}
	a.SetReady(true)

	kinds := []struct {
		name string
		argv []string
		wall []time.Duration
		cpu  []time.Duration
	}{
		{name: "direct", argv: []string{"true"}},
		{name: "Go program that execs", argv: []string{execs, "true"}},
		{name: "envoy-wait --disabled", argv: []string{binary, "--disabled", "true"}},
		{name: "envoy-wait, sidecar ready", argv: []string{binary, "--url", url, "true"}},
	}
	for range rounds {
		for i := range kinds {
			cmd := exec.Command(kinds[i].argv[0], kinds[i].argv[1:]...)
			start := time.Now()
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w", kinds[i].name, err)
			}
			kinds[i].wall = append(kinds[i].wall, time.Since(start))
			kinds[i].cpu = append(kinds[i].cpu, cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
	}

	fmt.Printf("start-up of %q, %d starts each\n", "true", rounds)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "\twall p50\twall p95\tCPU p50\twall to direct\twall to Go\t")
	for _, kind := range kinds {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%.1f\t%.1f\t\n", kind.name,
			ms(quantile(kind.wall, 0.5)), ms(quantile(kind.wall, 0.95)), ms(quantile(kind.cpu, 0.5)),
			ratio(kind.wall, kinds[0].wall), ratio(kind.wall, kinds[1].wall))
	}
	return table.Flush()
}

// lag measures from the moment of readiness to the app's first instruction.
func lag(binary string, waits int) error {
	fmt.Printf("\nlag from ready to the app's first instruction, %d waits each, the moment drawn at random\n", waits)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "until ready\twait\tp50\tp95\tmax\tmax to wait\t")
	for _, refused := range []bool{true, false} {
		for _, length := range []time.Duration{500 * time.Millisecond, 3 * time.Second, 10 * time.Second} {
			lags, shares, err := lagsOf(binary, waits, length, refused)
			if err != nil {
				return err
			}
			_, _ = fmt.Fprintf(table, "%s\t%v\t%s\t%s\t%s\t%.1f%%\t\n", map[bool]string{true: "refused", false: "503"}[refused], length,
				ms(quantile(lags, 0.5)), ms(quantile(lags, 0.95)), ms(quantile(lags, 1)), 100*slices.Max(shares))
		}
	}
	return table.Flush()
}

// lagsOf runs some waits at a time: they are idle nearly all of it.
func lagsOf(binary string, waits int, length time.Duration, refused bool) (lags []time.Duration, shares []float64, err error) {
	var mu sync.Mutex
	var group sync.WaitGroup
	slots := make(chan struct{}, 6)
	for range waits {
		wait := time.Duration(float64(length) * (0.8 + 0.4*rand.Float64()))
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			lag, e := oneLag(binary, wait, refused)
			mu.Lock()
			defer mu.Unlock()
			lags, shares = append(lags, lag), append(shares, float64(lag)/float64(wait))
			if e != nil {
				err = e
			}
		})
	}
	group.Wait()
	return lags, shares, err
}

func oneLag(binary string, wait time.Duration, refused bool) (time.Duration, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	address := l.Addr().String()
	a := &agent.Agent{}
	if refused {
		_ = l.Close()
		a.SetReady(true)
	} else {
		go func() { _ = a.Serve(l) }()
	}
	var out strings.Builder
	cmd := exec.Command(binary, "--url", "http://"+address+agent.Path, "--", "date", "+%s%N")
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	time.Sleep(wait)
	if refused {
		if l, err = net.Listen("tcp", address); err != nil {
			return 0, err
		}
		go func() { _ = a.Serve(l) }()
	}
	ready := time.Now()
	a.SetReady(true)
	err = cmd.Wait()
	_ = l.Close()
	if err != nil {
		return 0, err
	}
	nanoseconds, err := strconv.ParseInt(strings.TrimSpace(out.String()), 10, 64)
	return time.Unix(0, nanoseconds).Sub(ready), err
}

// serve runs a stand-in for the sidecar until the program ends.
func serve(address string) (*agent.Agent, string, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, "", err
	}
	a := &agent.Agent{}
	go func() { _ = a.Serve(l) }()
	return a, "http://" + l.Addr().String() + agent.Path, nil
}

func quantile(d []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func ratio(a, b []time.Duration) float64 {
	return float64(quantile(a, 0.5)) / float64(quantile(b, 0.5))
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }
