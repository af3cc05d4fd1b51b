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
	return strings.Contains(n.admit(inMesh("x", "", "containers: [{name: app, image: x, command: [app]"+restricted+"}]")), "/envoy-wait.io/")
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
	p, log := n.waits("plain", "app", "/envoy-wait.io/envoy-wait")
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

// What the policy prefixes, what it lets Istio hold, and what it leaves alone.
func TestPolicyChooses(t *testing.T) {
	needCluster(t)
	const (
		app     = `name: app, image: x, command: [app]`
		sidecar = `sidecar.istio.io/inject: "true"`
		behind  = "/envoy-wait.io/envoy-wait -- app"
		hook    = "lifecycle: {postStart: {exec: {command: [x]}}}"
		byIstio = "holdApplicationUntilProxyStarts: true"
	)
	for name, test := range map[string]struct {
		labels, annotations, spec string
		namespace                 []string
		commands                  string // of all containers
		env                       string // of the first
		proxyConfig               string // the annotation
	}{
		"injected":               {labels: sidecar, spec: "containers: [{" + app + "}]", commands: behind},
		"no command":             {labels: sidecar, spec: "containers: [{name: app, image: x, args: [app]}]", proxyConfig: byIstio},
		"one of two":             {labels: sidecar, spec: "containers: [{name: a, image: x}, {" + app + "}]", commands: " | " + behind, proxyConfig: byIstio},
		"a hook":                 {labels: sidecar, spec: "containers: [{" + app + ", " + hook + "}]", commands: "app", proxyConfig: byIstio},
		"a hook of one of two":   {labels: sidecar, spec: "containers: [{" + app + "}, {name: b, image: x, command: [b], " + hook + "}]", commands: behind + " | b", proxyConfig: byIstio},
		"its own proxy.istio.io": {labels: sidecar, annotations: "proxy.istio.io/config: 'concurrency: 1'", spec: "containers: [{name: a, image: x}]", proxyConfig: "concurrency: 1"},
		"opted out":              {labels: sidecar, annotations: "envoy-wait.io/inject: disabled", spec: "containers: [{" + app + "}]", commands: "app"},
		"opted out by false":     {labels: sidecar, annotations: `envoy-wait.io/inject: "false"`, spec: "containers: [{name: app, image: x}]"},
		"opted out by a label":   {labels: sidecar + ", envoy-wait.io/inject: disabled", spec: "containers: [{" + app + "}]", commands: "app"},
		"by a label that is no":  {labels: sidecar + `, envoy-wait.io/inject: "false"`, spec: "containers: [{" + app + "}]", commands: "app"},
		"not opted out":          {labels: sidecar + ", envoy-wait.io/inject: enabled", spec: "containers: [{" + app + "}]", commands: behind},
		"no sidecar":             {spec: "containers: [{" + app + "}]", commands: "app"},
		"no sidecar, no command": {spec: "containers: [{name: app, image: x}]"},
		"sidecar off":            {labels: `sidecar.istio.io/inject: "false"`, namespace: []string{"istio-injection=enabled"}, spec: "containers: [{" + app + "}]", commands: "app"},
		"by an annotation alone": {annotations: sidecar, spec: "containers: [{" + app + "}]", commands: "app"},
		"by the namespace":       {namespace: []string{"istio-injection=enabled"}, spec: "containers: [{" + app + "}]", commands: behind},
		"by a revision":          {namespace: []string{"istio.io/rev=stable"}, spec: "containers: [{" + app + "}]", commands: behind},
		"the Pod's own revision": {labels: "istio.io/rev: stable", spec: "containers: [{" + app + "}]", commands: behind},
		"the sidecar itself": {labels: sidecar, spec: "containers: [{" + app + "}, {name: istio-proxy, image: x, command: [pilot-agent]}]",
			commands: behind + " | pilot-agent"},
		"wrapped by hand":       {labels: sidecar, spec: "containers: [{name: app, image: x, command: [/usr/bin/envoy-wait, --, app]}]", commands: "/usr/bin/envoy-wait -- app"},
		"a similar name":        {labels: sidecar, spec: "containers: [{name: app, image: x, command: [no-envoy-wait]}]", commands: "/envoy-wait.io/envoy-wait -- no-envoy-wait"},
		"on the node's network": {labels: sidecar, spec: "hostNetwork: true, containers: [{" + app + "}]", commands: "app"},
		"on Windows":            {labels: sidecar, spec: "os: {name: windows}, containers: [{" + app + "}]", commands: "app"},
		"on a node of Windows":  {labels: sidecar, spec: "nodeSelector: {kubernetes.io/os: windows}, containers: [{" + app + "}]", commands: "app"},
		"on Linux":              {labels: sidecar, spec: "os: {name: linux}, nodeSelector: {kubernetes.io/os: linux}, containers: [{" + app + "}]", commands: behind},
		"a volume of the name":  {labels: sidecar, spec: "containers: [{" + app + "}], volumes: [{name: envoy-wait, emptyDir: {}}]", commands: "app"},
		"an init container of the name": {labels: sidecar, spec: "containers: [{" + app + "}], initContainers: [{name: envoy-wait, image: x, command: [envoy-wait]}]",
			commands: "app"},
		"a container of the name": {labels: sidecar, spec: "containers: [{" + app + "}, {name: envoy-wait, image: x, command: [x]}]", commands: "app | x"},
		"a mount of the name": {labels: sidecar, spec: "containers: [{" + app + ", volumeMounts: [{name: v, mountPath: /envoy-wait.io}]}], volumes: [{name: v, emptyDir: {}}]",
			commands: "app"},
		"init containers": {labels: sidecar, spec: "containers: [{" + app + "}], initContainers: [{name: init, image: x, command: [init]}, " +
			"{name: native, image: x, command: [native], restartPolicy: Always}]", commands: behind},
		"settings": {labels: sidecar, annotations: "envoy-wait.io/timeout: 5s, envoy-wait.io/on-timeout: fail, envoy-wait.io/interval: 1s, envoy-wait.io/absent-after: 2s, other: x",
			spec:     "containers: [{" + app + ", env: [{name: ENVOY_WAIT_TIMEOUT, value: 7s}]}]",
			commands: behind, env: "ENVOY_WAIT_TIMEOUT=7s ENVOY_WAIT_ABSENT_AFTER=2s ENVOY_WAIT_INTERVAL=1s ENVOY_WAIT_ON_TIMEOUT=fail"}, // in this order
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
			harness.Want(t, "proxy.istio.io/config", got.Metadata.Annotations["proxy.istio.io/config"], test.proxyConfig)
			harness.Want(t, "image volumes", strings.Count(admitted, `"reference": "`+imageEnvoyWait+`"`), min(1, strings.Count(test.commands, "/envoy-wait.io/")))
			harness.Want(t, "mounts", strings.Count(admitted, `"name": "envoy-wait",`+"\n                        "+`"readOnly": true`), strings.Count(test.commands, "/envoy-wait.io/"))
			for _, c := range got.Spec.InitContainers {
				harness.Want(t, "command of "+c.Name, strings.Join(c.Command, " "), c.Name)
			}
			again := decode(t, n.admit(withoutIdentity(t, admitted)))
			if !reflect.DeepEqual(again.Spec, got.Spec) {
				t.Errorf("a second admission makes\n%+v of\n%+v", again.Spec, got.Spec)
			}
		})
	}
}

// Who applies a manifest is told what the policy cannot do.
func TestPolicyWarns(t *testing.T) {
	n := needPolicy(t)
	const (
		app    = "{name: app, image: x, command: [app]}"
		more   = "{name: more, image: x}"
		hooked = "{name: hooked, image: x, command: [app], lifecycle: {postStart: {exec: {command: [x]}}}}"
		istio  = ": add holdApplicationUntilProxyStarts: true to the annotation proxy.istio.io/config of the Pod"
		hooks  = "the containers hooked have a postStart hook: Istio has to hold them back, not envoy-wait"
	)
	for name, test := range map[string]struct {
		annotations, spec string
		job               bool
		want              []string
	}{
		"prefixed":                {spec: "containers: [" + app + "]"},
		"held":                    {spec: "containers: [" + app + ", " + more + "]"},
		"held by itself":          {annotations: `proxy.istio.io/config: '{ "holdApplicationUntilProxyStarts": true }'`, spec: "containers: [" + more + "]"},
		"opted out":               {annotations: `envoy-wait.io/inject: "false"`, spec: "containers: [" + hooked + "]"},
		"held by a first sidecar": {spec: "containers: [{name: istio-proxy, image: x}, " + more + "]"},
		"a native sidecar":        {job: true, spec: "restartPolicy: Never, containers: [" + hooked + ", " + more + "], initContainers: [{name: istio-proxy, image: x, restartPolicy: Always}]"},
		"beside its sidecar": {spec: "containers: [" + app + ", " + more + ", {name: istio-proxy, image: x}]",
			want: []string{"envoy-wait does not hold back the containers more" + istio}},
		"on Windows": {spec: "os: {name: windows}, containers: [" + more + "]"},
		"settings":   {annotations: "envoy-wait.io/timeout: 5s, envoy-wait.io/log-level: debug, envoy-wait.io/inject: enabled", spec: "containers: [" + app + "]"},
		"a second opinion": {annotations: "proxy.istio.io/config: 'concurrency: 1'", spec: "containers: [" + app + ", " + more + "]",
			want: []string{"envoy-wait does not hold back the containers more" + istio}},
		"not held": {annotations: "proxy.istio.io/config: 'holdApplicationUntilProxyStarts: false'", spec: "containers: [" + more + "]",
			want: []string{"envoy-wait does not hold back the containers more" + istio}},
		"a volume of the name": {spec: "containers: [" + app + ", " + more + "], volumes: [{name: envoy-wait, emptyDir: {}}]",
			want: []string{"envoy-wait does not hold back the containers app, more, since a container or a volume is called envoy-wait" + istio}},
		"a container of the name": {spec: "containers: [{name: envoy-wait, image: x, command: [app]}]",
			want: []string{"envoy-wait does not hold back the containers envoy-wait, since a container or a volume is called envoy-wait" + istio}},
		"an init container of the name": {spec: "containers: [" + app + "], initContainers: [{name: envoy-wait, image: x}]",
			want: []string{"envoy-wait does not hold back the containers app, since a container or a volume is called envoy-wait" + istio}},
		"a mount of the name": {spec: "containers: [{name: app, image: x, command: [app], volumeMounts: [{name: v, mountPath: /envoy-wait.io}]}], volumes: [{name: v, emptyDir: {}}]",
			want: []string{"envoy-wait does not hold back the containers app, since a container or a volume is called envoy-wait" + istio}},
		"by hand": {spec: "containers: [{name: app, image: x, command: [/opt/envoy-wait/envoy-wait, --, app]}], volumes: [{name: envoy-wait, emptyDir: {}}]"},
		"a hook":  {spec: "containers: [" + hooked + "]", want: []string{hooks}},
		"no flags": {annotations: "envoy-wait.io/timeuot: 5s, envoy-wait.io/once: 'true'", spec: "containers: [" + app + "]",
			want: []string{"no flag of envoy-wait, or not in the template of the Pod: envoy-wait.io/once, envoy-wait.io/timeuot"}},
		"a Job": {job: true, spec: "restartPolicy: Never, containers: [" + app + "]"},
		"a Job of several apps": {job: true, spec: "restartPolicy: Never, containers: [" + app + ", {name: b, image: x, command: [b]}]", want: []string{
			"envoy-wait does not tell the sidecar of this Job to quit, since it has several apps: decide by the annotation envoy-wait.io/quit of the Pod"}},
		"a Job that has decided": {job: true, annotations: `envoy-wait.io/quit: "true"`, spec: "restartPolicy: Never, containers: [" + app + ", {name: b, image: x, command: [b]}]"},
		"a Job without a command": {job: true, spec: "restartPolicy: Never, containers: [" + more + "]", want: []string{
			"envoy-wait does not tell the sidecar of this Job to quit, since the container more has no command, or a postStart hook"}},
		"a Job with a native sidecar": {job: true, annotations: `envoy-wait.io/quit: "false"`, spec: "restartPolicy: Never, containers: [" + more + "]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pod := "metadata: {name: x, labels: {app: plain, sidecar.istio.io/inject: \"true\"}, annotations: {" + test.annotations + "}}, spec: {" + test.spec + "}"
			template := "template: {" + strings.Replace(pod, "name: x, ", "", 1) + "}"
			manifests := map[string]string{
				"Pod":        "{apiVersion: v1, kind: Pod, " + pod + "}",
				"Deployment": "{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {" + selector + ", " + template + "}}",
			}
			if test.job {
				manifests = map[string]string{
					"Job":     "{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {" + template + "}}",
					"CronJob": "{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {schedule: 1 1 1 1 1, jobTemplate: {spec: {" + template + "}}}}",
				}
			}
			for kind, manifest := range manifests {
				r := tryKubectl(t, manifest, "-n", n.name, "create", "--dry-run=server", "-f", "-").WantCode(t, 0)
				var got []string
				for line := range strings.Lines(r.Stderr) {
					if _, text, ok := strings.Cut(strings.TrimSpace(line), "Warning: Validation failed for ValidatingAdmissionPolicy 'envoy-wait' with binding 'envoy-wait': "); ok {
						got = append(got, text)
					}
				}
				harness.Want(t, kind+": warnings", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}

// Annotations of a workload itself are not its Pods'.
func TestPolicyWarnsOfTheWrongPlace(t *testing.T) {
	n := needPolicy(t)
	const warning = "no flag of envoy-wait, or not in the template of the Pod: envoy-wait.io/inject, envoy-wait.io/timeout\n"
	labelled := strings.Replace(plain("DaemonSet", selector, "", plainApp), "metadata: {name: plain}", "metadata: {name: plain, labels: {envoy-wait.io/inject: disabled}}", 1)
	harness.WantIn(t, n.apply(labelled), "not in the template of the Pod: envoy-wait.io/inject\n")
	deployment := strings.Replace(plain("Deployment", "replicas: 0\n  "+selector, "", plainApp), "metadata: {name: plain}",
		"metadata: {name: plain, annotations: {envoy-wait.io/inject: disabled, envoy-wait.io/timeout: 5s}}", 1)
	harness.WantIn(t, n.apply(deployment), warning)
	out := n.apply(strings.Replace(deployment, "annotations: {}", "annotations: {envoy-wait.io/inject: disabled, envoy-wait.io/timeout: 5s}", 1))
	if strings.Contains(out, "Warning") {
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
