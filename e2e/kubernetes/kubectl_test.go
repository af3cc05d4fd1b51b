//go:build linux

package kubernetes

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// patience bounds everything that a test waits for: the node may be very busy.
const patience = 3 * time.Minute

// needCluster is Need for all tests here.
func needCluster(t *testing.T) {
	t.Helper()
	harness.Need(t, missing == "", missing)
	t.Parallel()
	pods.start()
	jobs.start()
}

func kubectlCommand(args ...string) *exec.Cmd {
	return exec.Command(filepath.Join(programs, "kubectl"), args...)
}

// kubectl runs a command that has to succeed, and returns its stdout.
func kubectl(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := tryKubectl(t, stdin, args...)
	if r.Code != 0 {
		t.Fatalf("kubectl %q: exit status %d\n%s%s", args, r.Code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

func tryKubectl(t *testing.T, stdin string, args ...string) harness.Result {
	t.Helper()
	cmd := kubectlCommand(args...)
	cmd.Stdin = strings.NewReader(stdin)
	return harness.Start(t, cmd).Result()
}

// object is what the tests read of a Pod or a Job.
type object struct {
	Metadata struct {
		Name, Namespace   string
		Annotations       map[string]string
		DeletionTimestamp *time.Time
	}
	Spec struct {
		InitContainers, Containers, EphemeralContainers []container
	}
	Status struct {
		Phase, Reason                            string
		PodIP                                    string
		InitContainerStatuses, ContainerStatuses []status
		Conditions                               []struct{ Type, Status, Reason, Message string }
		Succeeded, Failed                        int
	}
	deleted bool
}

type container struct {
	Name          string
	Image         string
	Command, Args []string
	Env           []struct{ Name, Value string }
	VolumeMounts  []struct {
		Name, MountPath string
		ReadOnly        bool
	}
}

// status is a container's.
type status struct {
	Name             string
	RestartCount     int
	Ready            bool
	State, LastState struct {
		Waiting    *struct{ Reason, Message string }
		Running    *struct{ StartedAt time.Time }
		Terminated *terminated
	}
}

type terminated struct {
	ExitCode              int
	Reason, Message       string
	StartedAt, FinishedAt time.Time
}

// container is the status of the Pod's container of that name.
func (o object) container(name string) status {
	for _, s := range append(o.Status.InitContainerStatuses, o.Status.ContainerStatuses...) {
		if s.Name == name {
			return s
		}
	}
	return status{}
}

// now is the last known state of a Pod.
func (n *namespace) now(prefix string) object {
	n.t.Helper()
	return pods.await(n, prefix, "there", func(object) bool { return true })
}

func (o object) condition(kind string) string {
	for _, c := range o.Status.Conditions {
		if c.Type == kind {
			return c.Status
		}
	}
	return ""
}

func running(name string) func(object) bool {
	return func(o object) bool { return o.container(name).State.Running != nil }
}

func ended(name string) func(object) bool {
	return func(o object) bool { return o.container(name).State.Terminated != nil }
}

// complete and failed are for Jobs.
func complete(o object) bool { return o.condition("Complete") == "True" }
func failed(o object) bool   { return o.condition("Failed") == "True" }

// watcher knows the last state of all objects of a kind, also of deleted ones.
type watcher struct {
	kind    string
	once    sync.Once
	mu      sync.Mutex
	changed *sync.Cond
	objects map[string]object // by namespace/name
}

var pods, jobs = newWatcher("pods"), newWatcher("jobs")

func newWatcher(kind string) *watcher {
	w := &watcher{kind: kind, objects: map[string]object{}}
	w.changed = sync.NewCond(&w.mu)
	return w
}

func (w *watcher) start() {
	w.once.Do(func() {
		go func() {
			for { // the API server ends each watch after a while
				err := w.watch()
				fmt.Fprintf(os.Stderr, "watching %s anew: %v\n", w.kind, err)
				time.Sleep(time.Second)
			}
		}()
		go func() { // lets waiters look at the time
			for range time.Tick(time.Second) {
				w.changed.Broadcast()
			}
		}()
	})
}

// watch returns when a watch has ended.
func (w *watcher) watch() error {
	cmd := kubectlCommand("get", w.kind, "--all-namespaces", "--watch", "--output-watch-events", "-o", "json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return err
	}
	for events := json.NewDecoder(out); ; {
		var event struct {
			Type   string
			Object object
		}
		if err := events.Decode(&event); err != nil {
			return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
		}
		event.Object.deleted = event.Type == "DELETED"
		w.mu.Lock()
		w.objects[event.Object.Metadata.Namespace+"/"+event.Object.Metadata.Name] = event.Object
		w.changed.Broadcast()
		w.mu.Unlock()
	}
}

// await returns the first object of the namespace whose name begins with prefix
// and that is as wanted.
func (w *watcher) await(n *namespace, prefix, what string, wanted func(object) bool) object {
	n.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for deadline := time.Now().Add(patience); ; w.changed.Wait() {
		for key, o := range w.objects {
			if strings.HasPrefix(key, n.name+"/"+prefix) && wanted(o) {
				return o
			}
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("in vain: %s %s: %s", w.kind, prefix, what)
		}
	}
}

// namespace is one of a test's own.
type namespace struct {
	t    *testing.T
	name string
}

// newNamespace makes one with labels such as "a=b".
func newNamespace(t *testing.T, labels ...string) *namespace {
	t.Helper()
	return namedNamespace(t, strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(t.Name()), "-"), "-"), labels...)
}

func namedNamespace(t *testing.T, name string, labels ...string) *namespace {
	t.Helper()
	n := &namespace{t: t, name: name}
	yaml := "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + n.name + "\n  labels:\n    e2e: envoy-wait\n"
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		yaml += fmt.Sprintf("    %s: %q\n", key, value)
	}
	// What istiod would put there, for the injected containers, and the examples' own.
	yaml += "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: istio-ca-root-cert, namespace: " + n.name + "}\ndata: {root-cert.pem: none}\n" +
		"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {name: shop, namespace: " + n.name + "}\n"
	kubectl(t, yaml, "create", "-f", "-")                       // fails where somebody else has it
	n.kubectl("wait", "--for=create", "serviceaccount/default") // a controller makes it, and no Pod is taken before
	t.Cleanup(func() {
		if t.Failed() {
			n.describe()
		}
		kubectl(t, "", "delete", "namespace", n.name, "--wait=false")
	})
	return n
}

// kubectl runs a command in the namespace that has to succeed.
func (n *namespace) kubectl(args ...string) string {
	n.t.Helper()
	return kubectl(n.t, "", append([]string{"-n", n.name}, args...)...)
}

// apply returns what kubectl says, warnings too.
func (n *namespace) apply(manifest string) string {
	n.t.Helper()
	r := tryKubectl(n.t, manifest, "apply", "-n", n.name, "-f", "-")
	if r.Code != 0 {
		n.t.Fatalf("%s\n%s", r.Stderr, manifest)
	}
	return r.Stdout + r.Stderr
}

// follow reads the log of a container.
func (n *namespace) follow(pod object, container string) *harness.Process {
	n.t.Helper()
	return harness.Start(n.t, kubectlCommand("logs", "-f", "-n", n.name, pod.Metadata.Name, "-c", container))
}

func (n *namespace) logs(pod object, container string) string {
	n.t.Helper()
	return n.kubectl("logs", pod.Metadata.Name, "-c", container)
}

func (n *namespace) exec(pod object, container string, command ...string) string {
	n.t.Helper()
	return n.kubectl(append([]string{"exec", pod.Metadata.Name, "-c", container, "--"}, command...)...)
}

// describe writes what went on, for a test that failed.
func (n *namespace) describe() {
	r := tryKubectl(n.t, "", "get", "pods,jobs,events", "-n", n.name)
	n.t.Log(r.Stdout + r.Stderr)
	names := strings.Fields(tryKubectl(n.t, "", "get", "pods", "-n", n.name, "-o", "name").Stdout)
	for _, name := range names[:min(len(names), 3)] {
		r := tryKubectl(n.t, "", "logs", "-n", n.name, name, "--all-containers", "--prefix", "--tail=15", "--ignore-errors")
		n.t.Log(r.Stdout + r.Stderr)
	}
}
