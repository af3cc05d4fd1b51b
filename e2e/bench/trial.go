//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

// bench has the helper programs.
type bench struct {
	dir    string
	rest   sync.WaitGroup    // of the long waits, which run beside all other parts
	copies map[string]string // of programs, by path
}

func newBench() (*bench, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, copies: map[string]string{}}
	for name, entry := range map[string]string{"launch": "", "bench/execs": "", "bench/app": " -E main.entry"} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w"+entry, "-o", dir, "./"+filepath.Join("e2e", name))
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			b.close()
			return nil, fmt.Errorf("building %s: %w: %s", name, err, out)
		}
	}
	return b, nil
}

// close waits for them, and removes the helper programs.
func (b *bench) close() {
	b.rest.Wait()
	_ = os.RemoveAll(b.dir)
}

func (b *bench) helper(name string) string { return filepath.Join(b.dir, name) }

// trial is one start of an app, up to its end.
type trial struct {
	wire.Report
	first time.Duration // the app's first instruction
	log   []byte
}

// try lets a rival start the app in front of the sidecar. The rival
// runs below e2e/launch, which measures it.
func (b *bench) try(ctx context.Context, r rival, s *standIn, atMost time.Duration) (t trial, err error) {
	reader, writer, err := os.Pipe()
	if err != nil {
		return t, err
	}
	defer func() { _ = reader.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 2*atMost+time.Minute) // some poll less and less often
	defer cancel()
	cmd := r.command(ctx, s, []string{b.helper("app")}, b.helper("launch"))
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = &out, &log, []*os.File{writer}
	err = cmd.Run()
	_ = writer.Close()
	if err == nil {
		err = json.NewDecoder(reader).Decode(&t.Report)
	}
	if err == nil && (t.Code != 0 || out.Len() < 16) {
		err = fmt.Errorf("status %d without the app", t.Code)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return t, fmt.Errorf("%s: %w: %s%s", r.name, err, &out, &log)
	}
	// The app writes a struct timespec, after all that the rival wrote.
	said, clock := out.Bytes()[:out.Len()-16], out.Bytes()[out.Len()-16:]
	t.log = append(log.Bytes(), said...)
	t.first = time.Duration(binary.NativeEndian.Uint64(clock))*time.Second + time.Duration(binary.NativeEndian.Uint64(clock[8:]))
	return t, nil
}
