//go:build linux

package kubernetes

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// asked is the label by which a Pod asks for a sidecar.
const asked = `sidecar.istio.io/inject: "true"`

// inMesh is a Pod, in flow style, that asks for a sidecar.
func inMesh(name, annotations, spec string) string {
	return "{apiVersion: v1, kind: Pod, metadata: {name: " + name + ", labels: {" + asked + "}, annotations: {" + annotations + "}}, spec: {restartPolicy: Never, " + spec + "}}\n"
}

// restricted is what Pod Security's "restricted" asks of a container.
const restricted = ", securityContext: {runAsNonRoot: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}"

// disabled is an annotation for a Pod whose sidecar never comes: policy and node are
// under test, and not the wait.
const disabled = `envoy-wait.io/disabled: "true"`

// A Pod keeps its class of quality of service.
func TestPolicyKeepsTheQualityOfService(t *testing.T) {
	n := needPolicy(t)
	for class, resources := range map[string]string{
		"BestEffort": "{}", "Burstable": "{requests: {cpu: 10m}}", "Guaranteed": "{limits: {cpu: 10m, memory: 16Mi}}",
	} {
		spec := "containers: [{name: app, image: x, command: [app], resources: " + resources + "}]"
		for _, annotations := range []string{"", "envoy-wait.io/inject: disabled"} {
			harness.WantIn(t, n.admit(inMesh("x", annotations, spec)), `"qosClass": "`+class+`"`)
		}
	}
}

// Rules of a namespace that a small Pod keeps are kept behind the policy too.
func TestPolicyKeepsTheRules(t *testing.T) {
	const app = "name: app, image: x, command: [app]"
	for name, test := range map[string]struct {
		label, object, spec string
	}{
		"least memory": {object: "{apiVersion: v1, kind: LimitRange, metadata: {name: x}, spec: {limits: [{type: Container, min: {memory: 64Mi}}]}}",
			spec: "containers: [{" + app + ", resources: {requests: {memory: 64Mi}}}]"},
		"most CPU": {object: "{apiVersion: v1, kind: LimitRange, metadata: {name: x}, spec: {limits: [{type: Container, max: {cpu: 50m}}]}}",
			spec: "containers: [{" + app + ", resources: {limits: {cpu: 50m}}}]"},
		"resources of the Pod": {spec: "resources: {requests: {cpu: 20m, memory: 16Mi}, limits: {cpu: 50m, memory: 16Mi}}, containers: [{" + app + "}]"},
		"restricted":           {label: "pod-security.kubernetes.io/enforce=restricted", spec: "containers: [{" + app + restricted + "}]"},
	} {
		t.Run(name, func(t *testing.T) {
			var labels []string
			if test.label != "" {
				labels = append(labels, test.label)
			}
			n := needPolicy(t, labels...)
			if test.object != "" {
				n.apply(test.object)
			}
			for _, annotations := range []string{"envoy-wait.io/inject: disabled", ""} {
				r := tryKubectl(t, inMesh("x", annotations, test.spec), "-n", n.name, "create", "--dry-run=server", "-o", "json", "-f", "-")
				r.WantCode(t, 0)
				if annotations == "" {
					harness.WantIn(t, r.Stdout, "/envoy-wait.io/envoy-wait")
				}
			}
		})
	}
}

// A quota admits as many Pods as without the policy.
func TestPolicyKeepsTheQuota(t *testing.T) {
	n := needPolicy(t)
	n.apply("{apiVersion: v1, kind: ResourceQuota, metadata: {name: x}, spec: {hard: {requests.cpu: 40m, pods: \"8\"}}}")
	n.apply(plain("Deployment", "replicas: 8\n  "+selector, disabled,
		"      containers: [{name: app, image: "+imageShop+", command: [app], resources: {requests: {cpu: 5m}}}]\n"))
	harness.Until(t, "8 Pods run", func() bool {
		return n.kubectl("get", "deployment", "plain", "-o", "jsonpath={.status.readyReplicas}") == "8"
	}, func() string { return n.kubectl("get", "events") })
	p := n.now("plain")
	harness.Want(t, "behind the policy", wrapped(p), true)
}

// The binary is mounted where nothing else is: not below a volume of the app, nor over
// a file of its image.
func TestPolicyMounts(t *testing.T) {
	n := needPolicy(t)
	n.apply(inMesh("volume", disabled, `containers: [{name: app, image: "`+imageShop+`", command: [sh, -c, "exit 7"], `+
		"securityContext: {readOnlyRootFilesystem: true, runAsUser: 1000}, volumeMounts: [{name: opt, mountPath: /opt, readOnly: true}]}], volumes: [{name: opt, emptyDir: {}}]"))
	n.apply(inMesh("distroless", disabled, `containers: [{name: app, image: "`+imageDistroless+`", command: [/app]}]`))
	n.apply(inMesh("root", disabled, `securityContext: {runAsUser: 0}, containers: [{name: app, image: "`+imageShop+`", command: [sh, -c, "exit 7"]}]`))
	for _, name := range []string{"volume", "root"} {
		p := pods.await(n, name, "ended", ended("app"))
		harness.Want(t, name+": exit code", p.container("app").State.Terminated.ExitCode, 7)
	}
	p := pods.await(n, "distroless", "running", running("app"))
	harness.Want(t, "behind the policy", wrapped(p), true)
	n.follow(p, "app").Await("app: started as PID 1\n")
}

// copyOfThePolicy installs the policy once more, for a label of its own and with
// changes.
func copyOfThePolicy(t *testing.T, name string, changes ...string) (label string) {
	t.Helper()
	policy := strings.NewReplacer(append([]string{"{name: envoy-wait}", "{name: envoy-wait-" + name + "}", "policyName: envoy-wait", "policyName: envoy-wait-" + name,
		"inject: enabled", "inject: " + name}, changes...)...).Replace(harness.ReadFile(t, policyFile))
	kubectl(t, policy, "apply", "-f", "-")
	t.Cleanup(func() { kubectl(t, policy, "delete", "-f", "-") })
	return "envoy-wait.io/inject=" + name
}

// Another mesh is one variable: here each Pod has a sidecar.
func TestPolicyForAnotherMesh(t *testing.T) {
	needCluster(t)
	n := newNamespace(t, copyOfThePolicy(t, "another", "    - name: sidecar\n", "    - name: sidecar\n      expression: \"true\"\n    - name: istio\n"))
	const pod = "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: app, image: x, command: [app]}]}}"
	harness.Until(t, "the policy works", func() bool { return wrapped(decode(t, n.admit(pod))) })
}

// A policy that does not compile is refused itself. One that is broken for a Pod refuses
// the Pod, and says so.
func TestPolicyThatIsBroken(t *testing.T) {
	needCluster(t)
	r := tryKubectl(t, strings.ReplaceAll(harness.ReadFile(t, policyFile), "variables.wrapped", "variables.warped"), "apply", "--dry-run=server", "-f", "-")
	if r.Code == 0 {
		t.Errorf("kubectl apply takes it: %s", r.Stdout)
	}
	harness.WantIn(t, r.Stderr, "undefined field 'warped'")
	n := newNamespace(t, copyOfThePolicy(t, "broken", "'/spec/volumes/-'", "'/spec/volume/-'"))
	harness.Until(t, "refused", func() bool {
		r := tryKubectl(t, inMesh("x", "", "containers: [{name: app, image: x, command: [app]}]"), "-n", n.name, "create", "--dry-run=server", "-f", "-")
		return r.Code != 0 && strings.Contains(r.Stderr, "policy 'envoy-wait-broken' with binding 'envoy-wait-broken' denied request")
	})
	n.apply(plain("Deployment", selector, "", plainApp))
	harness.Until(t, "an event of the ReplicaSet", func() bool {
		return strings.Contains(n.kubectl("get", "events"), "Error creating: policy 'envoy-wait-broken' with binding 'envoy-wait-broken' denied request: ")
	})
}

// A node that cannot pull the image of envoy-wait starts no Pod behind it, and says so
// in the Pod's events. The annotation helps at once, and so does the label's end.
func TestPolicyWhoseImageIsMissing(t *testing.T) {
	needCluster(t)
	n := newNamespace(t, copyOfThePolicy(t, "missing", "ghcr.io/envoy-wait/envoy-wait:0.9.0", "127.0.0.1:1/missing:1.0"))
	harness.Until(t, "the policy works", n.injects)
	deployment := plain("Deployment", selector, "", plainApp)
	n.apply(deployment)
	harness.Until(t, "an event of the Pod", func() bool {
		return strings.Contains(n.kubectl("get", "events", "--field-selector=involvedObject.kind=Pod"), `Failed to pull image "127.0.0.1:1/missing:1.0"`)
	})
	n.apply(strings.Replace(deployment, "annotations: {}", "annotations: {envoy-wait.io/inject: disabled}", 1))
	first := pods.await(n, "plain", "started", running("app")).Metadata.Name

	n.apply(deployment)
	pods.await(n, "plain", "stuck again", func(o object) bool { return o.Metadata.Name != first && wrapped(o) })
	n.kubectl("label", "namespace", n.name, "envoy-wait.io/inject-")
	harness.Until(t, "the policy is off", func() bool { return !n.injects() })
	n.kubectl("rollout", "restart", "deployment", "plain")
	pods.await(n, "plain", "started anew", func(o object) bool { return o.Metadata.Name != first && running("app")(o) })
}

// injectAdmitted creates a Pod as the API server does behind the policy and Istio's
// webhook: in this order.
func (n *namespace) injectAdmitted(pod string) object {
	n.t.Helper()
	admitted := n.admit(pod)
	n.apply(inject(n.t, withoutIdentity(n.t, admitted)))
	return pods.await(n, decode(n.t, admitted).Metadata.Name, "there", func(o object) bool { return o.Status.PodIP != "" })
}

// An app whose entrypoint is in its image starts when Istio's hook has ended, and is
// not refused.
func TestPolicyLetsIstioHold(t *testing.T) {
	n := needPolicy(t)
	n.apply(pod("server", never, `name: server, command: [httpd, -f, -p, "8080", -h, /usr/local/bin]`))
	server := pods.await(n, "server", "running", running("server"))
	// The image has no entrypoint, so its arguments are the program.
	p := n.injectAdmitted(inMesh("plain", "", `containers: [{name: app, image: "docker.io/library/httpd:2.4", args: [wget, -q, -O, /dev/null, "http://`+server.Status.PodIP+`:8080/app"]}]`))
	harness.Want(t, "first container", p.Spec.Containers[0].Name, proxy)
	harness.Want(t, "commands", len(p.Spec.Containers[1].Command), 0)
	n.held(p, "app")
	p = pods.await(n, "plain", "ended", ended("app"))
	harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, 0)
}

// A postStart hook that waits for its own app ends, since the sidecar comes first.
func TestPolicyWithAHook(t *testing.T) {
	n := needPolicy(t)
	p := n.injectAdmitted(inMesh("plain", "", "containers: ["+hookedWeb+"]"))
	harness.Want(t, "first container", p.Spec.Containers[0].Name, proxy)
	harness.Want(t, "command", strings.Join(p.Spec.Containers[1].Command, " "), "httpd-foreground")
	n.held(p, "web")
	pods.await(n, "plain", "the hook has ended", running("web"))
}

// hookedWeb is an app whose hook waits until the app listens.
const hookedWeb = `{name: web, image: "docker.io/library/httpd:2.4", command: [httpd-foreground], ` +
	`lifecycle: {postStart: {exec: {command: [sh, -c, "until wget -q -O /dev/null http://127.0.0.1:80/httpd-foreground; do sleep 0.1; done"]}}}}`

// A revision that no istiod serves: the policy cannot know that no sidecar comes, and
// the wait is for nothing. An annotation replaces what comes by envFrom.
func TestPolicyWithAStaleRevision(t *testing.T) {
	n := needPolicy(t)
	n.apply("{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}, data: {ENVOY_WAIT_TIMEOUT: 5m, ENVOY_WAIT_LOG_FORMAT: text}}")
	n.apply(`{apiVersion: v1, kind: Pod, metadata: {name: stale, labels: {istio.io/rev: no-such}, annotations: {envoy-wait.io/timeout: 1s, envoy-wait.io/on-timeout: fail}}, ` +
		`spec: {restartPolicy: Never, containers: [{name: app, image: "` + imageShop + `", command: [app], envFrom: [{configMapRef: {name: settings}}]}]}}`)
	p := pods.await(n, "stale", "ended", ended("app"))
	harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, 124)
	harness.WantIn(t, p.container("app").State.Terminated.Message, "envoy-wait: not ready after ", "connection refused")
	harness.WantIn(t, n.logs(p, "app"), "envoy-wait: waiting for ") // as text
}

// What a controller creates nobody applies: the audit log has its warnings.
func TestPolicyAudits(t *testing.T) {
	n := needPolicy(t)
	harness.Need(t, os.Getenv(clusterVariable) == inside, "needs the audit log of our own cluster")
	out := n.apply(strings.Replace(plain("ReplicaSet", selector, "proxy.istio.io/config: 'concurrency: 1'", "      containers: [{name: app, image: "+imageShop+"}]\n"), "metadata: {name: plain}", "metadata: {name: audited}", 1))
	if strings.Contains(out, "Warning") {
		t.Errorf("kubectl apply says %s", out)
	}
	harness.Until(t, "an entry of the audit log", func() bool {
		return slices.ContainsFunc(strings.Split(harness.ReadFile(t, os.Getenv(directoryVariable)+"/audit.log"), "\n"), func(entry string) bool {
			return strings.Contains(entry, `"namespace":"`+n.name+`"`) && strings.Contains(entry, "replicaset-controller") &&
				strings.Contains(entry, "validation.policy.admission.k8s.io/validation_failure") && strings.Contains(entry, "does not hold back the containers app")
		})
	})
}

// The policy knows each flag that has a variable, and no other.
func TestPolicyFlags(t *testing.T) {
	list := regexp.MustCompile(`(?s)key\.substring\(14\) in \[(.*?)\]`).FindStringSubmatch(harness.ReadFile(t, policyFile))
	if list == nil {
		t.Fatal("no list of flags")
	}
	var got, want []string
	for _, name := range regexp.MustCompile(`'([a-z-]+)'`).FindAllStringSubmatch(list[1], -1) {
		got = append(got, name[1])
	}
	flags, _, _ := strings.Cut(harness.ReadFile(t, filepath.Join(harness.Root(), "docs", "flags.md")), "| **Instead of a wait**") // these have no variable
	for _, row := range regexp.MustCompile("(?m)^\\| `--([a-z-]+)").FindAllStringSubmatch(flags, -1) {
		want = append(want, row[1])
	}
	want = append(want, "inject")
	slices.Sort(got)
	slices.Sort(want)
	harness.Want(t, "flags", strings.Join(got, " "), strings.Join(want, " "))
}
