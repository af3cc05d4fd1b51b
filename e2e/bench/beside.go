//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// company are the processes that a program leaves beside the running app.
type company struct {
	name      string
	processes int
	bytes     int64  // resident
	size      string // of the program
}

// beside starts an app that stays, and counts the other processes of the tree.
func (b *bench) beside(ctx context.Context, r *report, rivals []rival) error {
	s, err := open(unready, 0)
	if err != nil {
		return err
	}
	t := newTable(1, "", "processes beside the app", "their memory", "size of the program")
	for _, rival := range rivals {
		c, err := companyOf(ctx, rival, s)
		if err != nil {
			return err
		}
		c.size = rival.size()
		r.company = append(r.company, c)
		t.row(c.name, strconv.Itoa(c.processes), megabytes(c.bytes), c.size)
	}
	r.show("Left beside the app, and size", t)
	_, err = s.close()
	return err
}

func companyOf(ctx context.Context, r rival, s *standIn) (c company, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	app := []string{"sleep", "600"}
	cmd := r.command(ctx, s, app)
	if err := cmd.Start(); err != nil {
		return c, err
	}
	var tree []int
	defer func() {
		for _, pid := range append(tree, cmd.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		_ = cmd.Wait()
	}()
	commandLine := []byte(strings.Join(app, "\x00") + "\x00")
	for seen := false; ctx.Err() == nil; { // the first look may find a process that is about to end
		c = company{name: r.name}
		tree = descendants(cmd.Process.Pid)
		running := false
		for _, pid := range tree {
			if line, _ := os.ReadFile(procFile(pid, "cmdline")); bytes.Equal(line, commandLine) {
				running = true
				continue
			}
			c.processes++
			c.bytes += memory(pid, "VmRSS")
		}
		if running && seen {
			return c, nil
		}
		seen = running
		time.Sleep(2 * time.Millisecond)
	}
	return c, fmt.Errorf("%s: the app does not run after a minute", r.name)
}

// descendants are a process and all below it.
func descendants(pid int) []int {
	pids := []int{pid}
	for _, child := range harness.Children(pid) {
		pids = append(pids, descendants(child)...)
	}
	return pids
}

func procFile(pid int, name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }

// memory is a field of /proc/PID/status in bytes, or 0.
func memory(pid int, field string) int64 {
	text, _ := os.ReadFile(procFile(pid, "status"))
	_, value, _ := strings.Cut(string(text), "\n"+field+":")
	var kb int64
	_, _ = fmt.Sscan(value, &kb)
	return 1024 * kb
}
