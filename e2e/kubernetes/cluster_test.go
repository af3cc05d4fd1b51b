//go:build linux

package kubernetes

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	directoryVariable = "E2E_CLUSTER_DIR"
	shellVariable     = "E2E_CLUSTER_SHELL"

	nodeAddress = "10.244.0.1"   // the bridge's, to which all Pods are attached
	cniPlugins  = "/usr/lib/cni" // Debian's
)

// The kubelet wants these settings of the machine. Files over them let it believe
// that they are so, and the machine keeps its own.
var sysctls = map[string]string{
	"vm/overcommit_memory": "1", "vm/panic_on_oom": "0", "kernel/panic": "10", "kernel/panic_on_oops": "1",
	"kernel/keys/root_maxkeys": "1000000", "kernel/keys/root_maxbytes": "25000000",
}

// node is the machine of our own cluster. All that it mounts and starts ends with
// the namespaces of this process.
type node struct {
	dir   string     // a tmpfs
	ended chan error // how daemons have ended
}

func startCluster(dir string) error {
	n := &node{dir: dir, ended: make(chan error)}
	for _, step := range []func() error{
		n.mount, n.connect, n.makeCgroups, n.configure, n.startContainerd, n.startControlPlane, n.startKubelet,
	} {
		if err := step(); err != nil {
			return fmt.Errorf("%w\n%s", err, n.logs())
		}
	}
	return os.Setenv("KUBECONFIG", filepath.Join(dir, "kubeconfig"))
}

func (n *node) mount() error {
	for _, target := range []string{n.dir, "/run", "/var/log"} {
		if err := unix.Mount("tmpfs", target, "tmpfs", 0, "mode=755"); err != nil {
			return fmt.Errorf("mounting a tmpfs on %s: %w", target, err)
		}
	}
	for name, value := range sysctls {
		file := filepath.Join(n.dir, "sys", name)
		err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(value+"\n"), 0o644),
			unix.Mount(file, "/proc/sys/"+name, "", unix.MS_BIND, ""))
		if err != nil {
			return err
		}
	}
	return nil
}

// connect makes the bridge of the Pods, which is also the node's own address.
func (n *node) connect() error {
	for _, args := range []string{
		"link set lo up", "link add cni0 type bridge", "addr add " + nodeAddress + "/24 dev cni0", "link set cni0 up",
		"route add default dev cni0",
	} {
		if err := run(exec.Command("ip", strings.Fields(args)...)); err != nil {
			return err
		}
	}
	return nil
}

// cgroup is the name of a run's control groups, which is that of its directory: two
// runs at once share nothing.
func cgroup(dir string) string { return "envoy-wait-" + filepath.Base(dir) }

// cgroups are the directories of our own: one in each hierarchy of cgroup v1, or
// the one in v2.
func cgroups(dir string) ([]string, error) {
	if _, err := os.Stat("/sys/fs/cgroup/cgroup.controllers"); err == nil {
		return []string{"/sys/fs/cgroup/" + cgroup(dir)}, nil
	}
	hierarchies, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	for i, path := range hierarchies {
		hierarchies[i] = filepath.Join(filepath.Dir(path), cgroup(dir))
	}
	return hierarchies, err
}

func (n *node) makeCgroups() error {
	dirs, err := cgroups(n.dir)
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		// A new control group of cpuset is empty, and takes no process.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			value, err := os.ReadFile(filepath.Join(filepath.Dir(dir), file))
			if err != nil {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// removeCgroups is for when all processes are gone.
func removeCgroups(dir string) error {
	dirs, err := cgroups(dir)
	for _, dir := range dirs {
		var all []string
		err = errors.Join(err, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
			if errors.Is(err, os.ErrNotExist) {
				return nil
			}
			if err == nil && entry.IsDir() {
				all = append(all, path)
			}
			return err
		}))
		for _, path := range slices.Backward(all) {
			err = errors.Join(err, removeCgroup(path))
		}
	}
	return err
}

// removeCgroup waits for the kernel, which empties it after the processes' end.
func removeCgroup(path string) error {
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if err := unix.Rmdir(path); !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return err
		}
	}
}

// configure writes the files, and the key of service accounts.
func (n *node) configure() error {
	for _, dir := range []string{"pki", "cni", "kubelet", "log/pods"} {
		if err := os.MkdirAll(filepath.Join(n.dir, dir), 0o755); err != nil {
			return err
		}
	}
	for from, to := range map[string]string{
		"containerd.toml": "containerd.toml", "kubelet.yaml": "kubelet.yaml", "kubeconfig": "kubeconfig", "pods.conflist": "cni/pods.conflist",
		"audit.yaml": "audit.yaml",
	} {
		content, err := os.ReadFile(filepath.Join("testdata", "cluster", from))
		if err != nil {
			return err
		}
		if err := n.write(to, strings.NewReplacer("$DIR", n.dir, "$CGROUP", cgroup(n.dir)).Replace(string(content))); err != nil {
			return err
		}
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	block := pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	return errors.Join(n.write("pki/sa.key", string(pem.EncodeToMemory(&block))), n.write("pki/tokens.csv", "e2e,e2e,e2e,system:masters\n"))
}

func (n *node) write(name, content string) error {
	return os.WriteFile(filepath.Join(n.dir, name), []byte(content), 0o600)
}

func (n *node) startContainerd() error {
	err := n.start("containerd", "containerd", "-c", "$DIR/containerd.toml")
	if err != nil {
		return err
	}
	if err := n.await("containerd", n.ctr("version")...); err != nil {
		return err
	}
	archives, err := writeImages()
	if err != nil {
		return err
	}
	for _, archive := range archives {
		command := n.ctr("images", "import", archive)
		if err := run(exec.Command(command[0], command[1:]...)); err != nil {
			return err
		}
	}
	return nil
}

func (n *node) ctr(args ...string) []string {
	return append([]string{programs + "/ctr", "-a", n.dir + "/containerd.sock", "-n", "k8s.io"}, args...)
}

func (n *node) startControlPlane() error {
	err := n.start("etcd", "server", "--data-dir", "$DIR/etcd", "--unsafe-no-fsync", "--log-level", "warn")
	if err != nil {
		return err
	}
	err = n.start("kube-apiserver", "kube-apiserver", "--etcd-servers=http://127.0.0.1:2379", "--cert-dir=$DIR/pki",
		"--bind-address=0.0.0.0", "--advertise-address="+nodeAddress, "--token-auth-file=$DIR/pki/tokens.csv",
		"--authorization-mode=AlwaysAllow", "--service-cluster-ip-range=10.245.0.0/24",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file=$DIR/pki/sa.key",
		"--service-account-signing-key-file=$DIR/pki/sa.key", "--kubelet-preferred-address-types=InternalIP",
		"--audit-policy-file=$DIR/audit.yaml", "--audit-log-path=$DIR/audit.log",
		// The older version of a MutatingAdmissionPolicy, beside v1: deploy/policy names both.
		"--runtime-config=admissionregistration.k8s.io/v1beta1=true")
	if err != nil {
		return err
	}
	if err := n.await("kube-apiserver", n.kubectl("get", "--raw", "/readyz")...); err != nil {
		return err
	}
	return errors.Join(
		n.start("kube-controller-manager", "kube-controller-manager", "--kubeconfig=$DIR/kubeconfig", "--leader-elect=false",
			"--service-account-private-key-file=$DIR/pki/sa.key", "--root-ca-file=$DIR/pki/apiserver.crt"),
		n.start("kube-scheduler", "kube-scheduler", "--kubeconfig=$DIR/kubeconfig", "--leader-elect=false"))
}

func (n *node) startKubelet() error {
	err := n.start("kubelet", "kubelet", "--config=$DIR/kubelet.yaml", "--kubeconfig=$DIR/kubeconfig", "--root-dir=$DIR/kubelet",
		"--cert-dir=$DIR/pki/kubelet", "--hostname-override=node", "--node-ip="+nodeAddress)
	if err != nil {
		return err
	}
	return errors.Join(n.await("kubelet", n.kubectl("wait", "--for=condition=Ready", "node/node", "--timeout=2s")...),
		n.await("kube-controller-manager", n.kubectl("get", "serviceaccount", "default")...))
}

func (n *node) kubectl(args ...string) []string {
	return append([]string{programs + "/kubectl", "--kubeconfig", n.dir + "/kubeconfig"}, args...)
}

// start starts a daemon, whose log is in the directory of the node.
func (n *node) start(name, program string, args ...string) error {
	log, err := os.Create(filepath.Join(n.dir, "log", name))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], "$DIR", n.dir)
	}
	cmd := exec.Command(filepath.Join(programs, program), args...)
	cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH")) // containerd looks for its shim
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { n.ended <- fmt.Errorf("%s ended: %w", name, cmd.Wait()) }()
	return nil
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// await waits until a command succeeds that asks the daemon started last.
func (n *node) await(name string, command ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	for {
		err := run(exec.CommandContext(ctx, command[0], command[1:]...))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", name, err)
		case err := <-n.ended:
			return err
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", cmd, err, out)
	}
	return nil
}

// logs are the last lines of each daemon's.
func (n *node) logs() (text string) {
	paths, _ := filepath.Glob(n.dir + "/log/*")
	for _, path := range paths {
		content, _ := os.ReadFile(path)
		lines := strings.Split(strings.TrimSpace(string(content)), "\n")
		text += filepath.Base(path) + ":\n" + strings.Join(lines[max(0, len(lines)-5):], "\n") + "\n"
	}
	return text
}

// runTests runs the tests, or a shell, with the cluster up.
func runTests(m *testing.M) (int, error) {
	if os.Getenv(shellVariable) == "" {
		return m.Run(), nil
	}
	cmd := exec.Command(cmp.Or(os.Getenv("SHELL"), "/bin/sh"))
	cmd.Env = append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return 0, cmd.Run()
}
