//go:build linux

package kubernetes

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

var policyFile = filepath.Join(harness.Root(), "deploy", "policy", "policy.yaml")

// The policy acts on namespaces with this label only.
const injected = "envoy-wait.io/inject=enabled"

var (
	installPolicy = sync.OnceValue(func() error {
		err := run(kubectlCommand("create", "-f", policyFile)) // fails where somebody else has it
		policyIsOurs = err == nil
		return err
	})
	policyIsOurs bool
)

// needPolicy makes a namespace in which the policy of deploy/policy works.
func needPolicy(t *testing.T, labels ...string) *namespace {
	t.Helper()
	needCluster(t)
	if err := installPolicy(); err != nil {
		t.Fatal(err)
	}
	n := newNamespace(t, append(labels, injected)...)
	// The API server reads policies and namespaces some moments later.
	harness.Until(t, "the policy works", n.injects)
	return n
}

// injects reports whether the policy takes a Pod that asks for a sidecar.
func (n *namespace) injects() bool {
	return strings.Contains(n.admit(`{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {sidecar.istio.io/inject: "true"}}, `+
		`spec: {containers: [{name: app, image: x, command: [app]}]}}`), "/opt/envoy-wait")
}

// A namespace that Istio leaves alone has no sidecars, whatever its Pods ask for.
func TestPolicyWhereInjectionIsDisabled(t *testing.T) {
	n := needPolicy(t)
	n.kubectl("label", "namespace", n.name, "istio-injection=disabled")
	harness.Until(t, "the policy leaves it alone", func() bool { return !n.injects() })
}

// admit returns what the API server makes of a Pod, which is not stored.
func (n *namespace) admit(pod string) string {
	n.t.Helper()
	return kubectl(n.t, pod, "-n", n.name, "create", "--dry-run=server", "-o", "json", "-f", "-")
}

func decode(t *testing.T, text string) (o object) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// plain is a workload that knows nothing of envoy-wait.
func plain(kind, spec, podAnnotations, containers string) string {
	api := "apps/v1"
	if kind == "Job" {
		api = "batch/v1"
	}
	return `
apiVersion: ` + api + `
kind: ` + kind + `
metadata: {name: plain}
spec:
  ` + spec + `
  template:
    metadata:
      labels: {app: plain, sidecar.istio.io/inject: "true"}
      annotations: {` + podAnnotations + `}
    spec:
` + containers
}

const (
	selector = "selector: {matchLabels: {app: plain}}"
	// An image with an entrypoint of its own, which the manifest writes out.
	plainApp = "      containers: [{name: app, image: " + imageShop + ", command: [app]}]\n"
)

// A Deployment without a word about envoy-wait: its app waits, and starts after the
// 200. Its settings are annotations.
func TestPolicyDeployment(t *testing.T) {
	n := needPolicy(t)
	out := n.apply(inject(t, plain("Deployment", selector, `envoy-wait.io/timeout: 90s`, plainApp)))
	if strings.Contains(out, "Warning") {
		t.Errorf("kubectl apply says %s", out)
	}
	p, log := n.waits("plain", "app", "/opt/envoy-wait/envoy-wait")
	harness.WantIn(t, n.exec(p, "app", "cat", "/proc/1/environ"), "ENVOY_WAIT_TIMEOUT=90s")
	n.starts(p, log, "app: started as PID 1\n")
	for _, c := range p.Spec.Containers {
		for _, mount := range c.VolumeMounts {
			if c.Name == proxy && (len(c.Command) > 0 || mount.Name == "envoy-wait") {
				t.Errorf("the sidecar is touched: %+v", c)
			}
		}
	}
	mounts := p.Spec.Containers[0].VolumeMounts
	if last := mounts[len(mounts)-1]; last.Name != "envoy-wait" || !last.ReadOnly {
		t.Errorf("the mounts are %+v", mounts)
	}
	n.kubectl("debug", p.Metadata.Name, "--image="+imageShop, "--container=debugger", "--attach=false", "--", "sleep", "600")
	p = pods.await(n, "plain", "debugged", func(o object) bool { return len(o.Spec.EphemeralContainers) == 1 })
	harness.Want(t, "command of the ephemeral container", strings.Join(p.Spec.EphemeralContainers[0].Command, " "), "sleep 600")
}

// A Job ends, since envoy-wait tells its sidecar to quit.
func TestPolicyJob(t *testing.T) {
	n := needPolicy(t)
	n.apply(inject(t, plain("Job", oneTry, startsAfter(0),
		"      restartPolicy: Never\n      containers: [{name: app, image: "+imageShop+`, command: [sh, -c, "exit 0"]}]`+"\n")))
	jobs.await(n, "plain", "complete", complete)
}

// With OnFailure the kubelet starts the app again, and its sidecar is still there.
func TestPolicyJobOnFailure(t *testing.T) {
	n := needPolicy(t)
	n.apply(inject(t, plain("Job", "backoffLimit: 4", startsAfter(0), "      restartPolicy: OnFailure\n      volumes: [{name: tries, emptyDir: {}}]\n"+
		"      containers: [{name: app, image: "+imageShop+`, command: [sh, -c, "[ -e /tries/first ] || { : >/tries/first; exit 7; }"], `+
		"volumeMounts: [{name: tries, mountPath: /tries}]}]\n")))
	jobs.await(n, "plain", "complete", complete)
	p := pods.await(n, "plain", "ended", ended("app"))
	harness.Want(t, "restarts of app and sidecar", [2]int{p.container("app").RestartCount, p.container(proxy).RestartCount}, [2]int{1, 0})
}

// What the policy leaves alone, and what it does not.
func TestPolicyChooses(t *testing.T) {
	needCluster(t)
	const app = `name: app, image: x, command: [app]`
	const sidecar = `sidecar.istio.io/inject: "true"`
	for name, test := range map[string]struct {
		labels, annotations, spec string
		namespace                 []string
		commands                  string // of all containers
		env                       string // of the first
	}{
		"injected":               {labels: sidecar, spec: "containers: [{" + app + "}]", commands: "/opt/envoy-wait/envoy-wait -- app"},
		"no command":             {labels: sidecar, spec: "containers: [{name: app, image: x, args: [app]}]", commands: ""},
		"one of two":             {labels: sidecar, spec: "containers: [{name: a, image: x}, {" + app + "}]", commands: " | /opt/envoy-wait/envoy-wait -- app"},
		"opted out":              {labels: sidecar, annotations: "envoy-wait.io/inject: disabled", spec: "containers: [{" + app + "}]", commands: "app"},
		"no sidecar":             {spec: "containers: [{" + app + "}]", commands: "app"},
		"sidecar off":            {labels: `sidecar.istio.io/inject: "false"`, namespace: []string{"istio-injection=enabled"}, spec: "containers: [{" + app + "}]", commands: "app"},
		"by an annotation alone": {annotations: sidecar, spec: "containers: [{" + app + "}]", commands: "app"},
		"installed by hand":      {labels: sidecar, namespace: []string{"second=true"}, spec: "containers: [{" + app + "}], initContainers: [{name: envoy-wait, image: x}]", commands: "app"},
		"by the namespace":       {namespace: []string{"istio-injection=enabled"}, spec: "containers: [{" + app + "}]", commands: "/opt/envoy-wait/envoy-wait -- app"},
		"by a revision":          {namespace: []string{"istio.io/rev=stable"}, spec: "containers: [{" + app + "}]", commands: "/opt/envoy-wait/envoy-wait -- app"},
		"the Pod's own revision": {labels: "istio.io/rev: stable", spec: "containers: [{" + app + "}]",
			commands: "/opt/envoy-wait/envoy-wait -- app"},
		"the sidecar itself": {labels: sidecar, spec: "containers: [{" + app + "}, {name: istio-proxy, image: x, command: [pilot-agent]}]",
			commands: "/opt/envoy-wait/envoy-wait -- app | pilot-agent"},
		"wrapped by hand":       {labels: sidecar, spec: "containers: [{name: app, image: x, command: [/usr/bin/envoy-wait, --, app]}]", commands: "/usr/bin/envoy-wait -- app"},
		"on the node's network": {labels: sidecar, spec: "hostNetwork: true, containers: [{" + app + "}]", commands: "app"},
		"wrapped already":       {labels: sidecar, spec: "containers: [{" + app + "}], volumes: [{name: envoy-wait, emptyDir: {}}]", commands: "app"},
		"init containers": {labels: sidecar, spec: "containers: [{" + app + "}], initContainers: [{name: init, image: x, command: [init]}, " +
			"{name: native, image: x, command: [native], restartPolicy: Always}]", commands: "/opt/envoy-wait/envoy-wait -- app"},
		"settings": {labels: sidecar, annotations: "envoy-wait.io/timeout: 5s, envoy-wait.io/on-timeout: fail, other: x",
			spec:     "containers: [{" + app + ", env: [{name: ENVOY_WAIT_TIMEOUT, value: 7s}]}]",
			commands: "/opt/envoy-wait/envoy-wait -- app", env: "ENVOY_WAIT_TIMEOUT=7s ENVOY_WAIT_ON_TIMEOUT=fail"},
	} {
		t.Run(name, func(t *testing.T) {
			n := needPolicy(t, test.namespace...)
			pod := "apiVersion: v1\nkind: Pod\nmetadata: {name: x, labels: {" + test.labels + "}, annotations: {" + test.annotations + "}}\nspec: {" + test.spec + "}\n"
			admitted := n.admit(pod)
			got := decode(t, admitted)
			var commands, env []string
			for _, c := range got.Spec.Containers {
				commands = append(commands, strings.Join(c.Command, " "))
			}
			for _, e := range got.Spec.Containers[0].Env {
				env = append(env, e.Name+"="+e.Value)
			}
			harness.Want(t, "commands", strings.Join(commands, " | "), test.commands)
			harness.Want(t, "environment", strings.Join(env, " "), test.env)
			changed := strings.Contains(test.commands, "/opt/envoy-wait/")
			for _, c := range got.Spec.InitContainers {
				if c.Name != "envoy-wait" {
					harness.Want(t, "command of "+c.Name, strings.Join(c.Command, " "), c.Name)
				}
			}
			if first := append(got.Spec.InitContainers, container{}); (first[0].Image == imageEnvoyWait) != changed {
				t.Errorf("the init containers are %+v", got.Spec.InitContainers)
			}
			again := decode(t, n.admit(withoutIdentity(t, admitted)))
			if !reflect.DeepEqual(again.Spec, got.Spec) {
				t.Errorf("a second admission makes\n%+v of\n%+v", again.Spec, got.Spec)
			}
		})
	}
}

// Who applies a manifest is told about a container that cannot be prefixed.
func TestPolicyWarns(t *testing.T) {
	n := needPolicy(t)
	const spec = "      containers: [{name: web, image: x}, {name: app, image: x, command: [app]}, {name: more, image: x}]\n"
	const warning = "Warning: Validation failed for ValidatingAdmissionPolicy 'envoy-wait' with binding 'envoy-wait': envoy-wait does not hold back the containers web, more: "
	out := n.apply(plain("Deployment", "replicas: 0\n  "+selector, "", spec))
	if strings.Count(out, "Warning") != 1 || !strings.Contains(out, warning) {
		t.Errorf("kubectl apply says %s", out)
	}
	const none = "      containers: [{name: app, image: x, command: [app]}]\n"
	if out := n.apply(plain("StatefulSet", "replicas: 0\n  "+selector, "", none)); strings.Contains(out, "Warning") {
		t.Errorf("kubectl apply says %s", out)
	}
}

// withoutIdentity makes an object one that can be created.
func withoutIdentity(t *testing.T, text string) string {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp"} {
		delete(o["metadata"].(map[string]any), field)
	}
	out, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// The version of Kubernetes 1.34 and 1.35 takes the same words.
func TestPolicyBeta(t *testing.T) {
	needPolicy(t)
	policy := strings.Replace(harness.ReadFile(t, policyFile), "admissionregistration.k8s.io/v1\n", "admissionregistration.k8s.io/v1beta1\n", 2)
	out := kubectl(t, policy, "apply", "--dry-run=server", "-f", "-")
	harness.Want(t, "objects", strings.Count(out, "(server dry run)"), 4)
}

// A policy that is broken for a Pod refuses the Pod, and says so. The name and the
// label are others, since the policy of the other tests is there.
func TestPolicyThatIsBroken(t *testing.T) {
	needCluster(t)
	broken := strings.NewReplacer("name: envoy-wait\n", "name: envoy-wait-broken\n", "policyName: envoy-wait\n", "policyName: envoy-wait-broken\n",
		"inject: enabled", "inject: broken", "'/spec/initContainers/0'", "'/spec/initContainer/0'").Replace(harness.ReadFile(t, policyFile))
	kubectl(t, broken, "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, broken, "delete", "-f", "-") })
	n := newNamespace(t, "envoy-wait.io/inject=broken")
	harness.Until(t, "refused", func() bool {
		r := tryKubectl(t, `{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {sidecar.istio.io/inject: "true"}}, spec: {containers: [{name: app, image: x, command: [app]}]}}`,
			"-n", n.name, "create", "--dry-run=server", "-f", "-")
		return r.Code != 0 && strings.Contains(r.Stderr, "policy 'envoy-wait-broken' with binding 'envoy-wait-broken' denied request")
	})
}

// A Pod that runs as root gets an init container that does not, and starts.
func TestPolicyAsRoot(t *testing.T) {
	n := needPolicy(t)
	n.apply(strings.Replace(pod("root", "securityContext: {runAsUser: 0}\n  "+never, `name: app, command: [sh, -c, "exit 7"], env: [{name: ENVOY_WAIT_DISABLED, value: "true"}]`),
		"{name: root}", `{name: root, labels: {sidecar.istio.io/inject: "true"}}`, 1))
	p := pods.await(n, "root", "ended", ended("app"))
	harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, 7)
}
