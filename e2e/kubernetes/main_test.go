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
	missing = whatIsMissing()
	if missing != "" && os.Getenv(clusterVariable) == shell {
		return 1, errors.New(missing)
	}
	if missing != "" {
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
	for _, tool := range []string{"runc", "unshare", "tini", "ip", "catatonit", "busybox", "iptables"} {
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
	before, err := traces(dir)
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
	return cmd.ProcessState.ExitCode(), errors.Join(ran, removeCgroups(dir), os.RemoveAll(dir), wantNoTraces(dir, before))
}
