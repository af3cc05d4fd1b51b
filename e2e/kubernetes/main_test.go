//go:build linux

package kubernetes

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The variable that says which cluster is used. Empty: our own.
const clusterVariable = "E2E_CLUSTER"

const (
	external = "external" // the one that KUBECONFIG names
	inside   = "inside"   // our own, and this process is in its namespaces already
	shell    = "shell"    // our own, for a shell instead of the tests
)

// programs is the directory of what make has built.
var programs = filepath.Join(harness.Root(), "bin", "kubernetes")

// missing says why there is no cluster, or is empty.
var missing string

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e/kubernetes:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

var onlyImages = flag.Bool("write-images", false, "only write the images")

func testMain(m *testing.M) (int, error) {
	flag.Parse()
	if *onlyImages {
		_, err := writeImages()
		return 0, err
	}
	if missing = whatIsMissing(); missing != "" {
		return m.Run(), nil // each test skips, or fails in CI
	}
	switch os.Getenv(clusterVariable) {
	case external:
		code, err := runTests(m)
		if policyIsOurs {
			err = errors.Join(err, run(kubectlCommand("delete", "-f", policyFile)))
		}
		return code, err
	case inside:
		if err := startCluster(os.Getenv(directoryVariable)); err != nil {
			return 1, err
		}
		return runTests(m)
	default:
		return runInside()
	}
}

func whatIsMissing() string {
	for _, program := range []string{"kubectl", "istioctl", "pilot-agent", "kustomize"} {
		if _, err := os.Stat(filepath.Join(programs, program)); err != nil {
			return "needs make e2e-kubernetes: " + err.Error()
		}
	}
	if os.Getenv(clusterVariable) == external {
		return ""
	}
	if os.Getuid() != 0 {
		return "needs root on Linux, or " + clusterVariable + "=" + external
	}
	for _, tool := range []string{"containerd", "containerd-shim-runc-v2", "ctr", "runc", "unshare", "tini", "ip", "catatonit", "busybox", "iptables"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "needs " + tool
		}
	}
	if _, err := os.Stat(cniPlugins + "/bridge"); err != nil {
		return "needs containernetworking-plugins"
	}
	return ""
}

// runInside runs this program once more, in namespaces that end with it, and
// checks that nothing is left of them.
func runInside() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "cluster-")
	if err != nil {
		return 1, err
	}
	before, err := machineState()
	if err != nil {
		return 1, err
	}
	runtime.LockOSThread() // Pdeathsig goes by the thread
	cmd := exec.Command("unshare", append([]string{"--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child",
		"--", "tini", "-s", "--", self}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), clusterVariable+"="+inside, directoryVariable+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if os.Getenv(clusterVariable) == shell {
		cmd.Env = append(cmd.Env, shellVariable+"=true")
	}
	ran := cmd.Run()
	var exit *exec.ExitError
	if errors.As(ran, &exit) {
		ran = nil
	}
	return cmd.ProcessState.ExitCode(), errors.Join(ran, removeCgroups(), os.RemoveAll(dir), compareState(before))
}

// machineState is what the cluster might leave behind: mounts, links, control
// groups, settings of the kernel, processes.
func machineState() (map[string]bool, error) {
	state := map[string]bool{}
	add := func(what string, values ...string) {
		for _, value := range values {
			state[what+" "+value] = true
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	add("mount", strings.Split(string(mounts), "\n")...)
	for what, pattern := range map[string]string{
		"link": "/sys/class/net/*", "control group": "/sys/fs/cgroup/*/*", "network namespace": "/run/netns/*",
	} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			return nil, err
		}
		add(what, names...)
	}
	for _, name := range append(sysctlNames(), "net/ipv4/ip_forward") {
		value, err := os.ReadFile("/proc/sys/" + name)
		if err != nil {
			return nil, err
		}
		add("sysctl", name+"="+string(value))
	}
	executables, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		return nil, err
	}
	for _, executable := range executables {
		if file, err := os.Readlink(executable); err == nil && (strings.HasPrefix(file, programs+"/") || strings.Contains(file, "containerd")) {
			add("process", executable+" "+file)
		}
	}
	return state, nil
}

func compareState(before map[string]bool) error {
	after, err := machineState()
	if err != nil {
		return err
	}
	var differences []string
	for entry := range after {
		if !before[entry] {
			differences = append(differences, "left behind: "+entry)
		}
	}
	for entry := range before {
		if !after[entry] {
			differences = append(differences, "gone: "+entry)
		}
	}
	if len(differences) == 0 {
		return nil
	}
	sort.Strings(differences)
	return errors.New(strings.Join(differences, "\n"))
}
