//go:build linux

package kubernetes

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// pod is a manifest with containers of the image that has envoy-wait and a shell.
// Each is a name and its further YAML, in flow style.
func pod(name, spec string, containers ...string) string {
	yaml := "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + "}\nspec:\n  " + spec + "\n  containers:\n"
	for _, c := range containers {
		yaml += "    - {image: " + imageShop + ", " + c + "}\n"
	}
	return yaml
}

const (
	never     = "restartPolicy: Never"
	noSidecar = `--url, "http://localhost:1/", --timeout, 100ms, --on-timeout, fail`
)

// The reason why an app was not started is where an administrator looks: in
// lastState of "kubectl describe pod", when the container has been restarted.
func TestTerminationMessage(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	tests := []struct {
		name, command string
		code          int
		reason        string
	}{
		{"timeout", noSidecar + ", --, app", 124, "envoy-wait: not ready after "},
		{"usage", "--timeout, soon, --, app", 125, `envoy-wait: --timeout: "soon": expected a duration`},
		{"not-executable", "--, /bin", 126, `envoy-wait: looking up "/bin": is a directory`},
		{"missing", "--, no-such-app", 127, `envoy-wait: looking up "no-such-app": not found in PATH`},
		{"own", "--disabled, --, sh, -c, exit 7", 7, ""}, // the file is the app's to write, once it runs
	}
	var containers []string
	for _, test := range tests {
		containers = append(containers, "name: "+test.name+", command: [envoy-wait, "+test.command+"]")
	}
	n.apply(pod("reasons", "restartPolicy: Always", containers...))
	for _, test := range tests {
		p := pods.await(n, "reasons", test.name+" restarted", func(o object) bool {
			return o.container(test.name).LastState.Terminated != nil
		})
		last := p.container(test.name).LastState.Terminated
		harness.Want(t, test.name+": exit code", last.ExitCode, test.code)
		if !strings.HasPrefix(last.Message, test.reason) || (test.reason == "") != (last.Message == "") {
			t.Errorf("%s: got the message %q, want %q", test.name, last.Message, test.reason)
		}
	}
}

// Probes that allow less time than the wait: the kubelet stops the container
// during the wait and starts it anew. The app is never started.
func TestProbeShorterThanTheWait(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	const probe = "Probe: {httpGet: {path: /, port: 8080}, periodSeconds: 1, failureThreshold: 1}"
	const command = `command: [envoy-wait, --url, "http://localhost:1/", --, app]`
	n.apply(pod("short", "restartPolicy: Always", "name: startup, "+command+", startup"+probe, "name: liveness, "+command+", liveness"+probe))
	for _, name := range []string{"startup", "liveness"} {
		p := pods.await(n, "short", name+" restarted", func(o object) bool { return o.container(name).RestartCount > 0 })
		last := p.container(name).LastState.Terminated
		harness.Want(t, name+": exit code", last.ExitCode, 143)
		if want := `, "app" not started`; !strings.HasPrefix(last.Message, "envoy-wait: SIGTERM after ") || !strings.HasSuffix(last.Message, want) {
			t.Errorf("%s: got the message %q, want %q at its end", name, last.Message, want)
		}
	}
}

// Without a probe a container counts as Ready during the wait, and gets requests.
func TestReadyDuringTheWait(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	const command = `command: [envoy-wait, --url, "http://localhost:1/", --, app]`
	n.apply("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {app: s}, ports: [{port: 8080}]}\n---\n" +
		strings.Replace(pod("none", never, "name: app, "+command), "{name: none", "{labels: {app: s}, name: none", 1) + "---\n" +
		strings.Replace(pod("probed", never, "name: app, "+command+", readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}"), "{name: probed", "{labels: {app: s}, name: probed", 1))
	pods.await(n, "none", "Ready", func(o object) bool { return running("app")(o) && o.condition("Ready") == "True" })
	pods.await(n, "probed", "not Ready", func(o object) bool { return running("app")(o) && o.condition("Ready") == "False" })
	harness.Until(t, "one of two endpoints is ready", func() bool {
		out := n.kubectl("get", "endpointslices", "-o", `jsonpath={range .items[*].endpoints[*]}{.targetRef.name}={.conditions.ready} {end}`)
		return strings.Contains(out, "none=true") && strings.Contains(out, "probed=false")
	})
}

// Whatever an image names as its STOPSIGNAL ends the wait at once, long before the
// grace period is over.
func TestDeletedDuringTheWait(t *testing.T) {
	needCluster(t)
	for name, test := range map[string]struct {
		image string
		code  int
	}{
		"term": {imageEnvoyWait, 143},
		"usr1": {"registry.example.com/stopped-by-usr1:1.0", 138},
		// The ignored default of WINCH is not enough for PID 1.
		"winch":  {"registry.example.com/stopped-by-winch:1.0", 156},
		"rtmin3": {"registry.example.com/stopped-by-rtmin3:1.0", 165},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.apply("apiVersion: v1\nkind: Pod\nmetadata: {name: deleted}\nspec:\n  restartPolicy: Never\n  terminationGracePeriodSeconds: 60\n" +
				"  containers:\n    - {name: app, image: " + test.image + `, args: [--, /envoy-wait], env: [{name: ENVOY_WAIT_URL, value: "http://localhost:1/"}]}` + "\n")
			p := pods.await(n, "deleted", "running", running("app"))
			n.follow(p, "app").Await("connection refused")
			start := time.Now()
			n.kubectl("delete", "pod", "deleted", "--wait=false")
			p = pods.await(n, "deleted", "ended", ended("app"))
			took := time.Since(start)
			t.Logf("exit status %d %v after kubectl delete", p.container("app").State.Terminated.ExitCode, took.Round(time.Millisecond))
			harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, test.code)
			if took > 20*time.Second {
				t.Errorf("ended %v after kubectl delete", took)
			}
		})
	}
}

// As little as a container can have is enough for a wait and a start.
func TestSmallLimits(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	n.apply(pod("small", never, `name: app, command: [envoy-wait, --url, "http://localhost:1/", --timeout, 2s, --, sh, -c, exit 7], resources: {limits: {cpu: 10m, memory: 12Mi}}`))
	p := pods.await(n, "small", "ended", ended("app"))
	harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, 7)
	harness.WantIn(t, n.logs(p, "app"), "not ready after ", `starting \"sh\" anyway`)
}

// In a Pod that shares its processes PID 1 is the sandbox's.
func TestShareProcessNamespace(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	const script = `, --, sh, -c, "[ $$ != 1 ] && exit 7"]`
	n.apply(pod("shared", "shareProcessNamespace: true\n  "+never, "name: exec, command: [envoy-wait, --disabled"+script,
		`name: supervised, command: [envoy-wait, --disabled, --quit-url, "http://localhost:1/"`+script))
	for _, name := range []string{"exec", "supervised"} {
		p := pods.await(n, "shared", name+" ended", ended(name))
		harness.Want(t, name+": exit code", p.container(name).State.Terminated.ExitCode, 7)
	}
}

// One container installs into an emptyDir while another waits with what was
// installed there before.
func TestInstallIntoASharedVolume(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	const mount = "volumeMounts: [{name: shared, mountPath: /opt/envoy-wait}]"
	const installer = "image: " + imageEnvoyWait + ", args: [--install, /opt/envoy-wait/], securityContext: {readOnlyRootFilesystem: true}, " + mount
	n.apply(fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: shared}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 1
  initContainers: [{name: first, %s}]
  containers:
    - {name: web, image: "docker.io/library/httpd:2.4", command: [/opt/envoy-wait/envoy-wait, --url, "file:///opt/envoy-wait/go", --, httpd-foreground], %s}
    - {name: again, image: %q, command: [sleep, "600"], securityContext: {runAsUser: 65532}, %s}
  volumes: [{name: shared, emptyDir: {}}]
`, installer, mount, imageShop, mount))
	p := pods.await(n, "shared", "running", func(o object) bool { return running("web")(o) && running("again")(o) })
	log := n.follow(p, "web")
	log.Await("no such file or directory")
	n.exec(p, "again", "/opt/envoy-wait/envoy-wait", "--install", "/opt/envoy-wait")
	harness.Want(t, "files", n.exec(p, "again", "ls", "-A", "/opt/envoy-wait"), "envoy-wait\n")
	if file := n.exec(p, "web", "ls", "-l", "/proc/1/exe"); !strings.Contains(file, "/opt/envoy-wait/envoy-wait (deleted)") {
		t.Errorf("not replaced: it runs %s", file)
	}
	n.exec(p, "again", "/opt/envoy-wait/envoy-wait", "--install", "/opt/envoy-wait/go")
	log.Await("httpd: started as PID 1\n")
}
