//go:build linux

package images

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The settings with which podman runs as root in a container or a small virtual
// machine: runc takes hybrid cgroups, the limits need no CAP_SYS_RESOURCE, and no file
// is shared with another podman of the machine.
const containersConf = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "%[1]s/run/libpod"
`

const storageConf = `[storage]
driver = "overlay"
graphroot = "%[1]s/graph"
runroot = "%[1]s/run"
`

const registriesConf = `unqualified-search-registries = ["docker.io"]
`

// storage is the directory of our podman, or "" while there is none.
var storage string

func TestMain(m *testing.M) {
	code := m.Run()
	if err := removeStorage(); err != nil {
		fmt.Fprintln(os.Stderr, "cleaning up:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

var startEngine = sync.OnceValue(func() (err error) {
	if storage, err = os.MkdirTemp("", "images-"); err != nil {
		return err
	}
	// podman's overlay cannot lie on another overlay, such as the root of a container
	// in which the tests run.
	if err := syscall.Mount("tmpfs", storage, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mounting tmpfs: %w", err)
	}
	for name, content := range map[string]string{
		"containers.conf": containersConf, "storage.conf": storageConf, "registries.conf": registriesConf,
		"tmp/.keep": "",
	} {
		path := filepath.Join(storage, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if strings.Contains(content, "%[1]s") {
			content = fmt.Sprintf(content, storage)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return errors.Join(
		os.Setenv("CONTAINERS_CONF", filepath.Join(storage, "containers.conf")),
		os.Setenv("CONTAINERS_STORAGE_CONF", filepath.Join(storage, "storage.conf")),
		os.Setenv("CONTAINERS_REGISTRIES_CONF", filepath.Join(storage, "registries.conf")),
		os.Setenv("TMPDIR", filepath.Join(storage, "tmp")), // for the cache mounts of builds
	)
})

// needPodman sets up a podman of our own.
func needPodman(t *testing.T) {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedTools(t, "podman", "runc", "conmon", "make", "tar", "apt-cache", "dpkg-deb", "tini")
	if err := startEngine(); err != nil {
		t.Fatal(err)
	}
}

// removeStorage leaves nothing behind, also after a test that failed.
func removeStorage() error {
	if storage == "" {
		return nil
	}
	var failed error
	if out, err := exec.Command("podman", "rm", "-a", "-f", "-t", "0").CombinedOutput(); err != nil {
		failed = fmt.Errorf("podman rm: %w: %s", err, out)
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return errors.Join(failed, err)
	}
	defer func() { _ = mounts.Close() }()
	var points []string
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		if point := strings.Fields(lines.Text())[4]; point == storage || strings.HasPrefix(point, storage+"/") {
			points = append(points, point)
		}
	}
	for _, point := range slices.Backward(points) {
		failed = errors.Join(failed, syscall.Unmount(point, syscall.MNT_DETACH))
	}
	return errors.Join(failed, os.RemoveAll(storage))
}

// podman runs a command that has to succeed, and returns its stdout.
func podman(t *testing.T, args ...string) string {
	t.Helper()
	return strings.TrimSpace(harness.Must(t, "podman", args...))
}

// runOnce runs a container to its end. Args begin with podman run's own flags.
func runOnce(t *testing.T, args ...string) harness.Result {
	t.Helper()
	return harness.Run(t, "podman", append([]string{"run", "--rm", "--network", "none"}, args...)...)
}

// container is the name of one.
type container string

// start runs a container in the background, and removes it when the test ends.
func start(t *testing.T, name container, args ...string) container {
	t.Helper()
	t.Cleanup(func() { podman(t, "rm", "-f", "-i", "-t", "0", string(name)) })
	podman(t, append([]string{"run", "-d", "--name", string(name), "--network", "none"}, args...)...)
	return name
}

func (c container) inspect(t *testing.T, field string) string {
	t.Helper()
	return podman(t, "inspect", "--type", "container", "-f", "{{"+field+"}}", string(c))
}

// follow reads the output of the container.
func (c container) follow(t *testing.T) *harness.Process {
	t.Helper()
	return harness.Start(t, exec.Command("podman", "logs", "-f", string(c)))
}

// await returns when the container has written text.
func (c container) await(t *testing.T, text string) {
	t.Helper()
	p := c.follow(t)
	p.Await(text)
	_ = p.Process.Kill()
}

func (c container) logs(t *testing.T) string {
	t.Helper()
	r := harness.Run(t, "podman", "logs", string(c))
	return r.Stdout + r.Stderr
}

// executable is the file that the container's first process runs.
func (c container) executable(t *testing.T) (pid, file string) {
	t.Helper()
	pid = c.inspect(t, ".State.Pid")
	file, err := os.Readlink("/proc/" + pid + "/exe")
	if err != nil {
		t.Fatal(err)
	}
	return pid, file
}
