//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/bench/wire"
)

// bench has the helpers, built and running.
type bench struct {
	rest    sync.WaitGroup // what runs beside all else
	dir     string
	standin *exec.Cmd
	orders  string // where the stand-in takes them
}

func newBench() (*bench, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir}
	if err = b.build(); err == nil {
		err = b.startStandin()
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// close waits for what runs beside, so its context must have ended.
func (b *bench) close() {
	b.rest.Wait()
	if b.standin != nil {
		_ = b.standin.Process.Kill()
		_ = b.standin.Wait()
	}
	_ = os.RemoveAll(b.dir)
}

func (b *bench) helper(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) build() error {
	for _, name := range []string{"app", "execs", "launch", "standin"} {
		flags := "-s -w"
		if name == "app" {
			flags += " -E main.entry"
		}
		build := exec.Command("go", "build", "-trimpath", "-ldflags", flags, "-o", b.helper(name),
			"github.com/envoy-wait/envoy-wait/e2e/bench/"+name)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w: %s", name, err, out)
		}
	}
	return nil
}

func (b *bench) startStandin() error {
	cmd := exec.Command(b.helper("standin"))
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil { // it ends with us
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	b.standin = cmd
	address, err := bufio.NewReader(out).ReadString('\n')
	b.orders = "http://" + strings.TrimSpace(address)
	return err
}

// open makes a sidecar that is ready after some time, or never, and returns its
// address.
func (b *bench) open(refused bool, after time.Duration) (string, error) {
	address, err := b.order("/open", url.Values{"refused": {fmt.Sprint(refused)}, "after": {after.String()}})
	return string(address), err
}

func (b *bench) closeSidecar(address string) (counts wire.Counts, err error) {
	text, err := b.order("/close", url.Values{"address": {address}})
	if err == nil {
		err = json.Unmarshal(text, &counts)
	}
	return counts, err
}

func (b *bench) order(path string, form url.Values) ([]byte, error) {
	resp, err := http.PostForm(b.orders+path, form)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("stand-in: %s", text)
	}
	return text, err
}

// trial is one start of an app that ran to its end.
type trial struct {
	wire.Usage
	First time.Duration // the app's first instruction
	Log   []byte
}

// try lets a rival start the app in front of the sidecar at address.
func (b *bench) try(ctx context.Context, r rival, address string, atMost time.Duration) (t trial, err error) {
	dir, err := os.MkdirTemp(b.dir, "")
	if err != nil {
		return t, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	first, usage := filepath.Join(dir, "first"), filepath.Join(dir, "usage")
	logFile, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return t, err
	}
	defer func() { _ = logFile.Close() }()
	if err := os.WriteFile(first, nil, 0o600); err != nil {
		return t, err
	}

	ctx, cancel := context.WithTimeout(ctx, atMost+time.Minute)
	defer cancel()
	cmd := r.command(ctx, address, []string{b.helper("app"), first}, b.helper("launch"), usage)
	cmd.Stdout, cmd.Stderr = logFile, logFile
	err = cmd.Run()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if t.Log, _ = os.ReadFile(logFile.Name()); err != nil {
		return t, fmt.Errorf("%s: %w: %s", r.name, err, t.Log)
	}
	text, err := os.ReadFile(usage)
	if err == nil {
		err = json.Unmarshal(text, &t.Usage)
	}
	if err != nil {
		return t, err
	}
	clock, err := os.ReadFile(first)
	if err != nil || len(clock) != 16 {
		return t, fmt.Errorf("%s: did not start the app, status %d: %s", r.name, t.Status, t.Log)
	}
	t.First = time.Duration(binary.NativeEndian.Uint64(clock))*time.Second + time.Duration(binary.NativeEndian.Uint64(clock[8:]))
	return t, nil
}
