//go:build linux

package kubernetes

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// exampleTests are the tests of the manifests in examples/kubernetes, each as it
// stands, with the sidecar that Istio injects.
var exampleTests = map[string]func(*namespace, string){
	"cronjob.yaml":         testCronJob,
	"deployment.yaml":      testDeployment,
	"hold-annotation.yaml": testHoldAnnotation,
	"image-volume.yaml":    testImageVolume,
	"job.yaml":             testJob,
	"legacy-image.yaml":    testLegacyImage,
	"native-sidecar.yaml":  testNativeSidecar,
	"probe.yaml":           testProbe,
	"vault-init.yaml":      testVaultInit,
}

func TestExamples(t *testing.T) {
	needCluster(t)
	paths, err := filepath.Glob(filepath.Join(harness.Root(), "examples", "kubernetes", "*"))
	if err != nil || len(paths) != len(exampleTests) {
		t.Errorf("%v: got the examples %q, want %d", err, paths, len(exampleTests))
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			test := exampleTests[filepath.Base(path)]
			if test == nil {
				t.Fatal("nothing tests it")
			}
			test(newNamespace(t), inject(t, harness.ReadFile(t, path)))
		})
	}
}

// waits checks that the app of a Pod waits while the sidecar answers 503.
func (n *namespace) waits(prefix, app, executable string) (object, *harness.Process) {
	n.t.Helper()
	p := pods.await(n, prefix, "running", func(o object) bool { return running(app)(o) && running(proxy)(o) })
	log := n.follow(p, app)
	log.Await(`"status":503`)
	if file := n.exec(p, app, "ls", "-l", "/proc/1/exe"); !strings.HasSuffix(file, " -> "+executable+"\n") {
		n.t.Errorf("not waiting: PID 1 runs %s\n%s", file, log.Stdout())
	}
	return p, log
}

// starts lets the sidecar be ready, and the app start after that.
func (n *namespace) starts(p object, log *harness.Process, started string) {
	n.t.Helper()
	if strings.Contains(log.Stdout(), started) {
		n.t.Errorf("an early start: %s", log.Stdout())
	}
	n.startWorkers(p)
	log.Await(started)
	log.Await(`"message":"ready after `) // stdout and stderr come by two ways
	if !regexp.MustCompile(`"status":200,.*"message":"ready after [^ ]*, starting `).MatchString(log.Stdout()) {
		n.t.Error(log.Stdout())
	}
}

// deleted deletes a Pod, and returns how its container ended.
func (n *namespace) deleted(p object, container string) terminated {
	n.t.Helper()
	n.kubectl("delete", "pod", p.Metadata.Name, "--wait=false")
	p = pods.await(n, p.Metadata.Name, "ended", ended(container))
	return *p.container(container).State.Terminated
}

func testDeployment(n *namespace, manifest string) {
	n.apply(manifest)
	p, log := n.waits("shop", "shop", "/usr/local/bin/envoy-wait")
	n.starts(p, log, "app: started as PID 1\n")
	if file := n.exec(p, "shop", "ls", "-l", "/proc/1/exe"); !strings.HasSuffix(file, " -> /usr/local/bin/app\n") {
		n.t.Errorf("PID 1 runs %s", file)
	}
	// The startup probe comes by the agent, as Istio has rewritten it.
	pods.await(n, "shop", "Ready", func(o object) bool { return o.condition("Ready") == "True" })
	harness.Want(n.t, "exit code", n.deleted(p, "shop").ExitCode, 0)
	log.Await("app: terminated, bye\n")
}

// The binary comes from its image, as a volume.
func testImageVolume(n *namespace, manifest string) {
	n.isStoppedTwice(manifest, "/envoy-wait.io/envoy-wait")
}

func testLegacyImage(n *namespace, manifest string) {
	n.isStoppedTwice(manifest, "/opt/envoy-wait/envoy-wait")
}

// isStoppedTwice stops an app by the STOPSIGNAL of its image, once in the wait and once
// after it.
func (n *namespace) isStoppedTwice(manifest, executable string) {
	n.t.Helper()
	n.apply(manifest)
	p, log := n.waits("web", "web", executable)
	harness.Want(n.t, "exit code", n.deleted(p, "web").ExitCode, 156)
	log.Await(`"httpd-foreground\" not started`)

	pods.await(n, "web", "gone", func(o object) bool { return o.deleted })
	p = pods.await(n, "web", "running anew", func(o object) bool { return !o.deleted && running("web")(o) && running(proxy)(o) })
	log = n.follow(p, "web")
	log.Await(`"status":503`)
	n.starts(p, log, "httpd: started as PID 1\n")
	harness.Want(n.t, "exit code", n.deleted(p, "web").ExitCode, 0)
	log.Await("httpd: stopped by WINCH\n")
}

// The mesh holds the app, by a hook of the sidecar that the kubelet waits for.
func testHoldAnnotation(n *namespace, manifest string) {
	n.apply(manifest)
	p := pods.await(n, "shop", "sidecar started", func(o object) bool { return o.Status.PodIP != "" })
	// The hook keeps the sidecar itself from counting as running, and from exec.
	n.held(p, "shop")
	p = pods.await(n, "shop", "running", running("shop"))
	n.follow(p, "shop").Await("app: started as PID 1\n")
	if log := n.logs(p, "shop"); strings.Contains(log, "envoy-wait") {
		n.t.Error(log)
	}
}

// held checks that the kubelet does not start the app while the sidecar is not
// ready, and lets it become ready.
func (n *namespace) held(p object, app string) {
	n.t.Helper()
	// The kubelet serves no log before the hook has ended.
	harness.Until(n.t, "Envoy's admin answers", func() bool {
		r := tryKubectl(n.t, "", "-n", n.name, "exec", p.Metadata.Name, "-c", proxy, "--", "wget", "-q", "-O", "-", "http://127.0.0.1:15000/server_info")
		return strings.Contains(r.Stdout, "PRE_INITIALIZING")
	})
	if state := n.now(p.Metadata.Name).container(app).State; state.Waiting == nil {
		n.t.Errorf("not held: %+v", state)
	}
	n.startWorkers(p)
}

// The agent in the init container is served, past the mesh, before there is a
// sidecar. Without the annotation it is refused. The app waits in any case.
func testVaultInit(n *namespace, manifest string) {
	n.apply(pod("vault", never, `name: vault, command: [sh, -c, "printf hunter2 >/tmp/secret; httpd -f -p 8200 -h /tmp"]`))
	server := pods.await(n, "vault", "running", running("vault"))
	manifest = strings.ReplaceAll(manifest, "10.20.30.40", server.Status.PodIP)

	n.apply(istioInitFirst(n.t, strings.Replace(manifest, "- "+server.Status.PodIP+"/32\n", "- \"\"\n", 1)))
	pods.await(n, "shop", "the agent failed", func(o object) bool {
		last := o.container("vault-agent").LastState.Terminated
		return last != nil && last.ExitCode == 1
	})
	n.apply(istioInitFirst(n.t, manifest))
	p, log := n.waits("shop", "shop", "/usr/local/bin/envoy-wait")
	n.starts(p, log, "app: started as PID 1\n")
	harness.Want(n.t, "secret", n.exec(p, "shop", "cat", "/vault/secrets/db"), "hunter2")
}

// A Job completes, since envoy-wait tells the sidecar to quit.
func testJob(n *namespace, manifest string) {
	n.apply(manifest)
	n.reports()
}

// The Job of a CronJob, which completes as well.
func testCronJob(n *namespace, manifest string) {
	n.apply(manifest)
	n.kubectl("create", "job", "report", "--from=cronjob/nightly-report")
	n.reports()
}

func (n *namespace) reports() {
	n.t.Helper()
	p := pods.await(n, "report", "running", running(proxy))
	log := n.follow(p, "report")
	log.Await(`"status":503`)
	n.starts(p, log, "report: done\n")
	jobs.await(n, "report", "complete", complete)
}

// The kubelet starts the app when envoy-wait --once has succeeded.
func testNativeSidecar(n *namespace, _ string) {
	n.apply(harness.ReadFile(n.t, filepath.Join(harness.Root(), "examples", "kubernetes", "native-sidecar.yaml")))
	p := pods.await(n, "shop", "sidecar running", running("envoy"))
	harness.Until(n.t, "an event of the probe", func() bool {
		return strings.Contains(n.kubectl("get", "events"), "Startup probe failed: envoy-wait: ")
	})
	if state := n.now("shop").container("shop").State; state.Waiting == nil {
		n.t.Errorf("not held: %+v", state)
	}
	n.exec(p, "envoy", "/usr/local/bin/envoy", "workers_start", "9901")
	p = pods.await(n, "shop", "running", running("shop"))
	n.follow(p, "shop").Await("app: started as PID 1\n")
}

// The Pod is Ready when the sidecar is, and equal events of the probe are counted.
func testProbe(n *namespace, manifest string) {
	n.apply(manifest)
	p, log := n.waits("worker", "worker", "/usr/local/bin/envoy-wait")
	const message = "Readiness probe failed: envoy-wait: not ready: http://localhost:15020/healthz/ready: status 503"
	harness.Until(n.t, "the probe's event is counted", func() bool {
		events := n.kubectl("get", "events", "-o", `jsonpath={range .items[*]}{.count} {.message}{"\n"}{end}`)
		return slices.ContainsFunc(strings.Split(events, "\n"), func(event string) bool {
			count, text, _ := strings.Cut(event, " ")
			return count > "1" && strings.HasPrefix(text, message)
		})
	})
	harness.Want(n.t, "the app is Ready", n.now("worker").container("worker").Ready, false)
	n.starts(p, log, "app: started as PID 1\n")
	pods.await(n, "worker", "Ready", func(o object) bool { return o.condition("Ready") == "True" })
}
