//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// company is what a rival leaves beside the running app.
type company struct {
	Name      string
	Processes int
	KB        int64 // resident
	Size      int64 // of its file
}

// beside starts an app that stays, and counts the other processes of the tree.
func (b *bench) beside(ctx context.Context, r *results, rivals []rival) error {
	address, err := b.open(false, 0)
	if err != nil {
		return err
	}
	t := table{{"", "processes beside the app", "their memory", "size of the binary"}}
	for _, rival := range rivals {
		c, err := b.companyOf(ctx, rival, address)
		if err != nil {
			return err
		}
		r.Company = append(r.Company, c)
		t.row(c.Name, strconv.Itoa(c.Processes), kb(c.KB), bytesOf(c.Size))
	}
	_, err = b.closeSidecar(address)
	r.show("Left beside the app, and size", t)
	return err
}

func (b *bench) companyOf(ctx context.Context, r rival, address string) (company, error) {
	c := company{Name: r.name, Size: r.size()}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	app := []string{"sleep", "600"}
	cmd := r.command(ctx, address, app)
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
	for ctx.Err() == nil {
		tree = descendants(cmd.Process.Pid)
		running := false
		c.Processes, c.KB = 0, 0
		for _, pid := range tree {
			if line, _ := os.ReadFile(procFile(pid, "cmdline")); bytes.Equal(line, commandLine) {
				running = true
				continue
			}
			c.Processes++
			c.KB += statusKB(pid, "VmRSS")
		}
		if running {
			return c, nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return c, fmt.Errorf("%s: the app does not run after a minute", r.name)
}

// descendants are a process and all below it.
func descendants(pid int) []int {
	pids := []int{pid}
	lists, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task", "*", "children"))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, descendants(child)...)
			}
		}
	}
	return pids
}

func procFile(pid int, name string) string { return filepath.Join("/proc", strconv.Itoa(pid), name) }

// statusKB is a field of /proc/PID/status, or 0.
func statusKB(pid int, field string) int64 {
	text, _ := os.ReadFile(procFile(pid, "status"))
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, field+":"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return n
		}
	}
	return 0
}
