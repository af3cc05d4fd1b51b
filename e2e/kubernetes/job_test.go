//go:build linux

package kubernetes

import (
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// job is a manifest with one app container, called app, that runs envoy-wait with
// these arguments.
func job(spec, podSpec, arguments string) string {
	return `
apiVersion: batch/v1
kind: Job
metadata: {name: job}
spec:
  ` + spec + `
  template:
    metadata: {annotations: {` + startsAfter(0) + `}}
    spec:
      ` + podSpec + `
      containers:
        - {name: app, image: "` + imageShop + `", command: [envoy-wait, ` + arguments + `]}
`
}

const oneTry = "backoffLimit: 0"

// A Job ends with its app, since the sidecar is told to quit.
func TestJobs(t *testing.T) {
	needCluster(t)
	for name, test := range map[string]struct {
		arguments string
		wanted    func(object) bool
		code      int
	}{
		"succeeds": {`--quit, --, "true"`, complete, 0},
		"fails":    {"--quit, --, sh, -c, exit 7", failed, 7},
		"usage":    {"--quit, --quit-timeout, 120s, --timeout, soon, --, app", failed, 125},
		"missing":  {"--quit, --quit-timeout, 120s, --, no-such-app", failed, 127},
		// The app ends before the sidecar listens: it is told all the same.
		"late-sidecar": {`--quit, --quit-timeout, 120s, --timeout, 1ms, --, "true"`, complete, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNamespace(t)
			n.apply(inject(t, job(oneTry, never, test.arguments)))
			jobs.await(n, "job", "ended", test.wanted)
			p := pods.await(n, "job", "ended", func(o object) bool { return ended("app")(o) && ended(proxy)(o) })
			harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, test.code)
			harness.Want(t, "exit code of the sidecar", p.container(proxy).State.Terminated.ExitCode, 0)
		})
	}
}

// Without --quit the sidecar goes on, and so does the Job, until somebody tells it.
func TestJobWithoutQuit(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	n.apply(inject(t, job(oneTry, never, `--, "true"`)))
	p := pods.await(n, "job", "ended", ended("app"))
	harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, 0)
	p = pods.await(n, "job", "sidecar ready", func(o object) bool { return o.container(proxy).Ready })
	if p.Status.Phase != "Running" || complete(jobs.await(n, "job", "any", func(object) bool { return true })) {
		t.Errorf("the Pod is %s", p.Status.Phase)
	}
	// The container may end before the command in it does.
	tryKubectl(t, "", "-n", n.name, "exec", p.Metadata.Name, "-c", proxy, "--", "wget", "-q", "-O", "-", "--post-data=", "http://127.0.0.1:15020/quitquitquit")
	jobs.await(n, "job", "complete", complete)
}

// With OnFailure the kubelet starts the app again: the sidecar must live until then.
func TestJobOnFailure(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	n.apply(inject(t, job("backoffLimit: 4", "restartPolicy: OnFailure\n      volumes: [{name: tries, emptyDir: {}}]",
		`--quit, --quit-on, success, --, sh, -c, "[ -e /tries/first ] || { : >/tries/first; exit 7; }"], volumeMounts: [{name: tries, mountPath: /tries}`)))
	jobs.await(n, "job", "complete", complete)
	p := pods.await(n, "job", "ended", ended("app"))
	harness.Want(t, "restarts", p.container("app").RestartCount, 1)
	harness.Want(t, "restarts of the sidecar", p.container(proxy).RestartCount, 0)
}

// Whoever deletes a Pod stops all its containers at once. The sidecar is gone before
// the app has ended, and the quit must not eat what is left of the grace period: the
// exit status stays the app's.
func TestSidecarGoneFirst(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	n.apply(inject(t, job(oneTry, never+"\n      terminationGracePeriodSeconds: 3",
		`--quit, --, sh, -c, "trap 'sleep 1; exit 7' TERM; echo started; while :; do sleep 0.1; done"`)))
	p := pods.await(n, "job", "running", running("app"))
	n.follow(p, "app").Await("started\n")
	n.crash(p) // as if its own drain were over
	pods.await(n, "job", "sidecar gone", ended(proxy))
	harness.Want(t, "exit code", n.deleted(p, "app").ExitCode, 7)
}

// The exit statuses fit podFailurePolicy as they are: a Pod that failed by 124 does
// not count, and one that failed by 127 ends the Job, however many tries are left.
func TestPodFailurePolicy(t *testing.T) {
	needCluster(t)
	const policy = `backoffLimit: 6
  podFailurePolicy:
    rules:
      - {action: FailJob, onExitCodes: {containerName: app, operator: In, values: [125, 126, 127]}}
      - {action: Ignore, onExitCodes: {containerName: app, operator: In, values: [124]}}`
	t.Run("127", func(t *testing.T) {
		t.Parallel()
		n := newNamespace(t)
		n.apply(job(policy, never, "--disabled, --, no-such-app"))
		j := jobs.await(n, "job", "failed", failed)
		for _, c := range j.Status.Conditions {
			if c.Type == "Failed" && c.Reason != "PodFailurePolicy" {
				t.Errorf("failed by %s", c.Reason)
			}
		}
	})
	t.Run("124", func(t *testing.T) {
		t.Parallel()
		n := newNamespace(t)
		n.apply(job(strings.Replace(policy, "backoffLimit: 6", oneTry, 1), never, noSidecar+", --, app")) // so a second Pod is the proof
		p := pods.await(n, "job", "ended", ended("app"))
		harness.Want(t, "exit code", p.container("app").State.Terminated.ExitCode, 124)
		pods.await(n, "job", "another Pod", func(o object) bool { return o.Metadata.Name != p.Metadata.Name })
	})
}
