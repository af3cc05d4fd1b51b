//go:build linux

package kubernetes

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// traces are what a cluster in dir might leave on the machine: mounts, control groups
// and processes that bear its names, and links, network namespaces and settings of the
// kernel such as it makes. What else happens on the machine is none of its business.
func traces(dir string) ([]string, error) {
	var found []string
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, filepath.Base(dir)) {
			found = append(found, "mount "+line)
		}
	}
	for what, pattern := range map[string]string{
		"control group":        "/sys/fs/cgroup/" + cgroup(dir),
		"control group of v1":  "/sys/fs/cgroup/*/" + cgroup(dir),
		"link":                 "/sys/class/net/cni0",
		"network namespace":    "/run/netns/cni-*",
		"directory of the run": dir + "/*",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		for _, path := range paths {
			found = append(found, what+" "+path)
		}
	}
	for name, wanted := range sysctls {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return nil, err
		}
		if strings.TrimSpace(string(value)) == wanted {
			found = append(found, "sysctl "+name+"="+wanted)
		}
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	for _, process := range processes {
		command, _ := os.ReadFile(process + "/cmdline") // empty when it has ended
		groups, _ := os.ReadFile(process + "/cgroup")
		if process != fmt.Sprint("/proc/", unix.Getpid()) &&
			(strings.Contains(string(command), dir) || strings.Contains(string(groups), cgroup(dir))) {
			found = append(found, fmt.Sprintf("process %s %q", process, command))
		}
	}
	return found, nil
}

// wantNoTraces is an error that names what was not there before.
func wantNoTraces(dir string, before []string) error {
	after, err := traces(dir)
	if err != nil {
		return err
	}
	left := slices.DeleteFunc(after, func(trace string) bool { return slices.Contains(before, trace) })
	if len(left) == 0 {
		return nil
	}
	slices.Sort(left)
	return fmt.Errorf("left behind:\n%s", strings.Join(left, "\n"))
}

// Whoever else uses the machine leaves traces too, and they are not ours. Ours are
// found.
func TestTraces(t *testing.T) {
	harness.NeedRoot(t)
	dir, other := filepath.Join(t.TempDir(), "cluster-of-this-test"), t.TempDir()
	before, err := traces(dir)
	if err != nil {
		t.Fatal(err)
	}
	mount := func(target string) {
		if err := errors.Join(os.MkdirAll(target, 0o755), unix.Mount("tmpfs", target, "tmpfs", 0, "")); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
	}
	mount(other)
	harness.Start(t, exec.Command("sleep", "600"))
	if err := wantNoTraces(dir, before); err != nil {
		t.Errorf("not ours: %v", err)
	}

	mount(dir)
	harness.WriteFile(t, filepath.Join(dir, "log"), "", 0o600)
	harness.Start(t, exec.Command("tail", "-f", filepath.Join(dir, "log")))
	err = wantNoTraces(dir, before)
	if err == nil {
		t.Fatal("nothing found")
	}
	harness.WantIn(t, err.Error(), "mount ", "directory of the run ", "process ")
}
