//go:build linux

package kubernetes

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// startsAfter is an annotation: when the workers of the sidecar's Envoy start.
func startsAfter(delay time.Duration) string {
	return fmt.Sprintf(`proxy.istio.io/config: '{"proxyMetadata": {"STANDIN_WORKERS_START": "%v"}}'`, delay)
}

// The race that envoy-wait is for. An app that connects at once is refused, since
// Istio has redirected its connection to a sidecar that does not listen yet. Behind
// envoy-wait it is served, whenever the sidecar becomes ready.
func TestRace(t *testing.T) {
	needCluster(t)
	const starts = 20
	n := newNamespace(t)
	n.apply(pod("server", never, `name: server, command: [httpd, -f, -p, "8080", -h, /usr/local/bin]`))
	server := pods.await(n, "server", "running", running("server"))
	connect := fmt.Sprintf(`[wget, -q, -O, /dev/null, "http://%s:8080/app"]`, server.Status.PodIP)

	var manifest []string
	for i := range starts {
		pod := pod(fmt.Sprintf("race-%02d", i), never,
			"terminationMessagePolicy: FallbackToLogsOnError, name: bare, command: "+connect,
			"terminationMessagePolicy: FallbackToLogsOnError, name: behind, command: "+strings.Replace(connect, "[", "[envoy-wait, --on-timeout, fail, --, ", 1))
		delay := 500*time.Millisecond + rand.N(3*time.Second)
		manifest = append(manifest, strings.Replace(pod, "{name: race", "{annotations: {"+startsAfter(delay)+"}, name: race", 1))
	}
	n.apply(inject(t, strings.Join(manifest, "---\n")))

	refused := 0
	for i := range starts {
		p := pods.await(n, fmt.Sprintf("race-%02d", i), "ended", func(o object) bool { return ended("bare")(o) && ended("behind")(o) })
		if end := p.container("behind").State.Terminated; end.ExitCode != 0 {
			t.Errorf("behind envoy-wait: exit status %d: %s", end.ExitCode, end.Message)
		}
		if end := p.container("bare").State.Terminated; end.ExitCode == 1 && strings.Contains(end.Message, "Connection refused") {
			refused++
		}
	}
	t.Logf("%d starts: refused without envoy-wait %d", starts, refused)
	// Nearly all, but one that is late on a busy machine finds a quick sidecar.
	if refused < starts/2 {
		t.Errorf("there was no race: without envoy-wait %d of %d were refused", refused, starts)
	}
}

// Istio's agent writes a warning for each request while Envoy is not ready. It writes
// far fewer of them where port 15021 tells when it is time.
func TestWarningsOfTheAgent(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	var manifest []string
	for name, flags := range map[string]string{"knocks": "", "asks": "--url, http://localhost:15020/healthz/ready, "} {
		pod := pod(name, never, "name: app, command: [envoy-wait, "+flags+"--, app]")
		manifest = append(manifest, strings.Replace(pod, "{name: "+name, "{annotations: {"+startsAfter(10*time.Second)+"}, name: "+name, 1))
	}
	n.apply(inject(t, strings.Join(manifest, "---\n")))
	warnings := func(name string) int {
		p := pods.await(n, name, "running", running("app"))
		n.follow(p, "app").Await("app: started as PID 1\n")
		return strings.Count(n.logs(p, proxy), "Envoy proxy is NOT ready")
	}
	few, many := warnings("knocks"), warnings("asks")
	t.Logf("warnings of the agent: %d, and %d with --url", few, many)
	if few < 1 || 2*few > many {
		t.Errorf("the agent wrote %d warnings, and %d with --url; want less than half", few, many)
	}
}

// The wait goes on while the kubelet restarts a sidecar that has crashed.
func TestSidecarCrashes(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	// The sidecar is gone for a short time only. With this interval there is an attempt every 40 ms.
	n.apply(inject(t, pod("crash", "restartPolicy: Always", "name: app, command: [envoy-wait, --timeout, 120s, --interval, 10ms, --, app]")))
	p, log := n.waits("crash", "app", "/usr/local/bin/envoy-wait")
	n.crash(p)
	p = pods.await(n, "crash", "sidecar restarted", func(o object) bool { return o.container(proxy).RestartCount > 0 && running(proxy)(o) })
	if p.container(proxy).LastState.Terminated == nil {
		t.Errorf("got the sidecar's status %+v, want a last state that is terminated", p.container(proxy))
	}
	log.Await(`, was status 503`) // refused, or reset
	n.starts(p, log, "app: started as PID 1\n")
	harness.Want(t, "restarts of the app", n.now("crash").container("app").RestartCount, 0)
}

// crash kills Envoy, and so ends the agent.
func (n *namespace) crash(p object) {
	n.t.Helper()
	// The exit status is unknown: the container may end before the command in it does.
	tryKubectl(n.t, "", "-n", n.name, "exec", p.Metadata.Name, "-c", proxy, "--", "sh", "-c", "kill -KILL $(pidof envoy)")
}

// A sidecar that was written by hand holds the app, if envoy-wait is the hook that
// runs after its start. Should that fail, the kubelet restarts the sidecar.
func TestPostStartHook(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	manifest := inject(t, pod("hook", never, "name: app, command: [app]"))
	n.apply(transform(t, manifest, "Pod", func(spec map[string]any) {
		mount := map[string]any{"name": "envoy-wait", "mountPath": "/opt/envoy-wait"}
		containers := spec["containers"].([]any)
		sidecar := containers[1].(map[string]any)
		sidecar["lifecycle"] = map[string]any{"postStart": map[string]any{"exec": map[string]any{
			"command": []string{"/opt/envoy-wait/envoy-wait", "--on-timeout", "fail"}}}}
		sidecar["volumeMounts"] = append(sidecar["volumeMounts"].([]any), mount)
		spec["containers"] = []any{sidecar, containers[0]}
		spec["initContainers"] = append(spec["initContainers"].([]any), map[string]any{
			"name": "envoy-wait", "image": imageEnvoyWait, "args": []string{"--install", "/opt/envoy-wait/"}, "volumeMounts": []any{mount}})
		spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": "envoy-wait", "emptyDir": map[string]any{}})
	}))
	p := pods.await(n, "hook", "sidecar started", func(o object) bool { return o.Status.PodIP != "" })
	n.held(p, "app")
	p = pods.await(n, "hook", "running", running("app"))
	n.follow(p, "app").Await("app: started as PID 1\n")
}

// A native sidecar starts before the Pod's own init containers, and the app after it. So
// envoy-wait finds it ready at the first attempt.
func TestNativeSidecar(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	n.apply(inject(t, inMesh("native", `sidecar.istio.io/nativeSidecar: "true", `+startsAfter(time.Second), `initContainers: [{name: own, image: "`+imageShop+`", command: ["true"]}], `+
		`containers: [{name: app, image: "`+imageShop+`", command: [envoy-wait, --, "true"]}]`)))
	p := pods.await(n, "native", "ended", ended("app"))
	var order []string
	for _, c := range p.Spec.InitContainers {
		order = append(order, c.Name)
	}
	harness.Want(t, "init containers", strings.Join(order, " "), "istio-init istio-proxy own")
	log := n.logs(p, "app")
	harness.Want(t, "lines", strings.Count(log, "\n"), 1)
	harness.WantIn(t, log, `"attempts":1`, "ready after ")
}

// An app's own hook that waits for the app holds back all later containers, and with
// them the sidecar that the app waits for: only the timeout ends that.
func TestPostStartHookOfTheApp(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	n.apply(inject(t, strings.Replace(inMesh("deadlock", "", "volumes: [{name: envoy-wait, image: {reference: \""+imageEnvoyWait+"\"}}], containers: ["+hookedWeb+"]"),
		"command: [httpd-foreground]", "volumeMounts: [{name: envoy-wait, mountPath: /envoy-wait.io}], command: [/envoy-wait.io/envoy-wait, --timeout, 5s, --, httpd-foreground]", 1)))
	p := pods.await(n, "deadlock", "the hook has ended", func(o object) bool { return running("web")(o) && running(proxy)(o) })
	harness.WantIn(t, n.logs(p, "web"), "connection refused", "not ready after ", "starting \\\"httpd-foreground\\\" anyway")
	started := p.container("web").State.Running.StartedAt
	if waited := p.container(proxy).State.Running.StartedAt.Sub(started); waited < 4*time.Second {
		t.Errorf("the sidecar started %v after the app's container, want it after the timeout", waited)
	}
}

// Under the rules of restricted namespaces, which Istio's CNI plugin allows for.
func TestRestricted(t *testing.T) {
	needCluster(t)
	n := newNamespace(t, "pod-security.kubernetes.io/enforce=restricted")
	const security = "securityContext: {runAsUser: 65532, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}"
	manifest := inject(t, pod("restricted", "securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}\n  "+never,
		"name: app, command: [envoy-wait, --on-timeout, fail, --, app], "+security))
	n.apply(transform(t, manifest, "Pod", func(spec map[string]any) { delete(spec, "initContainers") }))
	p, log := n.waits("restricted", "app", "/usr/local/bin/envoy-wait")
	n.starts(p, log, "app: started as PID 1\n")
	harness.WantIn(t, n.exec(p, "app", "cat", "/proc/1/status"), "\nUid:\t65532\t65532\t65532\t65532\n", "\nSeccomp:\t2\n", "\nCapEff:\t0000000000000000\n")
}
