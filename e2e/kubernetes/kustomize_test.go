//go:build linux

package kubernetes

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// kustomize builds a kustomization of the manifest and the component of
// deploy/kustomize.
func kustomize(t *testing.T, manifest string) harness.Result {
	t.Helper()
	dir := t.TempDir()
	component, err := filepath.Rel(dir, filepath.Join(harness.Root(), "deploy", "kustomize"))
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, filepath.Join(dir, "manifest.yaml"), manifest, 0o600)
	harness.WriteFile(t, filepath.Join(dir, "kustomization.yaml"), "resources: [manifest.yaml]\ncomponents: ["+component+"]\n", 0o600)
	return harness.Start(t, exec.Command(filepath.Join(programs, "kustomize"), "build", dir)).Result()
}

// A Deployment and a Job without a word about envoy-wait: the app of one waits, and
// the other ends. Their settings are annotations.
func TestKustomize(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	built := kustomize(t, plain("Deployment", selector, `envoy-wait.io/timeout: 90s`, plainApp)+"---"+
		plain("Job", oneTry, startsAfter(0), "      restartPolicy: Never\n      containers: [{name: app, image: "+imageShop+`, command: ["true"]}]`+"\n"))
	built.WantCode(t, 0)
	n.apply(inject(t, built.Stdout))
	jobs.await(n, "plain", "complete", complete)
	p, log := n.waits("plain-", "app", "/opt/envoy-wait/envoy-wait")
	harness.WantIn(t, n.exec(p, "app", "cat", "/proc/1/environ"), "ENVOY_WAIT_TIMEOUT=90s", "ENVOY_WAIT_ON_TIMEOUT=\x00")
	n.starts(p, log, "app: started as PID 1\n")
}

// Each kind of workload is changed in one way. What has opted out stays as it is.
func TestKustomizeKinds(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	const containers = "      containers: [{name: app, image: x, command: [app]}, {name: second, image: x}]\n"
	manifest := ""
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		manifest += plain(kind, selector, "", containers) + "---"
	}
	manifest += plain("Job", oneTry, "", "      restartPolicy: Never\n"+containers)
	manifest += `---
apiVersion: batch/v1
kind: CronJob
metadata: {name: plain}
spec:
  schedule: 1 1 1 1 1
  jobTemplate:
    spec:
      template:
        spec:
          restartPolicy: Never
          containers: [{name: app, image: x, command: [app]}]
`
	built := kustomize(t, manifest)
	built.WantCode(t, 0)
	kubectl(t, built.Stdout, "apply", "--dry-run=server", "-n", n.name, "-f", "-")
	harness.Want(t, "prefixes", strings.Count(built.Stdout, "- /opt/envoy-wait/envoy-wait\n"), 5)
	harness.Want(t, "--quit", strings.Count(built.Stdout, "- --quit\n"), 2)
	harness.Want(t, "init containers", strings.Count(built.Stdout, "image: "+imageEnvoyWait+"\n"), 5)
	harness.Want(t, "mounts", strings.Count(built.Stdout, "mountPath: /opt/envoy-wait\n"), 10)
	harness.Want(t, "variables", strings.Count(built.Stdout, "name: ENVOY_WAIT_TIMEOUT\n"), 5)

	out := strings.Replace(plain("Deployment", selector, "", "      containers: [{name: app, image: x}]\n"),
		"metadata: {name: plain}", "metadata: {name: plain, annotations: {envoy-wait.io/inject: disabled}}", 1)
	if built = kustomize(t, out).WantCode(t, 0); strings.Contains(built.Stdout, "/opt/envoy-wait") {
		t.Errorf("not left alone: %s", built.Stdout)
	}
}

// Without a command there is nothing to put envoy-wait in front of: no manifest
// comes out.
func TestKustomizeWithoutACommand(t *testing.T) {
	needCluster(t)
	r := kustomize(t, plain("Deployment", selector, "", "      containers: [{name: app, image: x}]\n"))
	if r.Code == 0 || r.Stdout != "" {
		t.Errorf("%+v", r)
	}
	harness.WantIn(t, r.Stderr, "/spec/template/spec/containers/0/command/0")
}
