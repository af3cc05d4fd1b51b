//go:build linux

package kubernetes

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// component is deploy/kustomize.
var component = filepath.Join(harness.Root(), "deploy", "kustomize")

// kustomization is a directory of files. In them COMPONENT is the way to the component.
func kustomization(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(dir, name)
		way, err := filepath.Rel(filepath.Dir(path), component)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(path), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		harness.WriteFile(t, path, strings.ReplaceAll(files[name], "COMPONENT", way), 0o600)
	}
	return dir
}

func build(t *testing.T, dir string) harness.Result {
	t.Helper()
	return harness.Start(t, exec.Command(filepath.Join(programs, "kustomize"), "build", dir)).Result()
}

// kustomize builds a kustomization of the manifest and the component of
// deploy/kustomize. kubectl, which has a kustomize of its own, makes the same of it.
func kustomize(t *testing.T, manifest string) harness.Result {
	t.Helper()
	dir := kustomization(t, map[string]string{
		"manifest.yaml": manifest, "kustomization.yaml": "resources: [manifest.yaml]\ncomponents: [COMPONENT]\n",
	})
	built := build(t, dir)
	harness.Want(t, "made by kubectl", harness.Start(t, kubectlCommand("kustomize", dir)).Result().Stdout, built.Stdout)
	return built
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
	p, log := n.waits("plain-", "app", "/envoy-wait.io/envoy-wait")
	environ := n.exec(p, "app", "cat", "/proc/1/environ")
	harness.WantIn(t, environ, "ENVOY_WAIT_TIMEOUT=90s\x00")
	harness.Want(t, "variables", strings.Count(environ, "ENVOY_WAIT_"), 1)
	n.starts(p, log, "app: started as PID 1\n")
}

// workload is one of a kind, in flow style. Its Pod's metadata and spec are given, and
// its own metadata.
func workload(kind, metadata, podMetadata, podSpec string) string {
	template := "template: {metadata: {" + podMetadata + "}, spec: {" + podSpec + "}}"
	switch kind {
	case "Job":
		return "{apiVersion: batch/v1, kind: Job, metadata: {name: plain, " + metadata + "}, spec: {" + template + "}}\n"
	case "CronJob":
		return "{apiVersion: batch/v1, kind: CronJob, metadata: {name: plain, " + metadata + "}, spec: {schedule: 1 1 1 1 1, jobTemplate: {spec: {" + template + "}}}}\n"
	default:
		return "{apiVersion: apps/v1, kind: " + kind + ", metadata: {name: plain, " + metadata + "}, spec: {" + selector + ", " + template + "}}\n"
	}
}

const kustomizeLabels = "labels: {app: plain}"

// Each kind of workload is changed in one way, and all else stays as it is.
func TestKustomizeKinds(t *testing.T) {
	needCluster(t)
	n := newNamespace(t)
	const containers = "containers: [{name: app, image: x, command: [app]}, {name: second, image: x, command: [second]}]"
	manifests := []string{"{apiVersion: v1, kind: ConfigMap, metadata: {name: plain, annotations: {a: b}}, data: {a: b}}\n"}
	const settings = "annotations: {envoy-wait.io/timeout: 1m30s, envoy-wait.io/on-timeout: fail, envoy-wait.io/quit-on: success}"
	for _, kind := range []string{"Deployment", "StatefulSet", "DaemonSet"} {
		manifests = append(manifests, workload(kind, "annotations: {a: b}", kustomizeLabels+", "+settings, containers))
	}
	for _, kind := range []string{"Job", "CronJob"} {
		manifests = append(manifests, workload(kind, "", settings, "restartPolicy: Never, "+containers))
	}
	built := kustomize(t, strings.Join(manifests, "---\n"))
	built.WantCode(t, 0)
	kubectl(t, built.Stdout, "apply", "--dry-run=server", "-n", n.name, "-f", "-")
	for text, want := range map[string]int{
		"- command:\n            - /envoy-wait.io/envoy-wait\n            - --\n            - app\n": 1, // the CronJob's
		"- /envoy-wait.io/envoy-wait\n": 5, "name: ENVOY_WAIT_QUIT\n": 2, "name: ENVOY_WAIT_QUIT_ON\n": 2, "name: ENVOY_WAIT_TIMEOUT\n": 5, "name: ENVOY_WAIT_ON_TIMEOUT\n": 5,
		"image: " + imageEnvoyWait + "\n": 5, "mountPath: /envoy-wait.io\n": 10, "- second\n": 5, "name: envoy-wait\n": 20,
		"requests:\n            cpu: 10m\n            memory: 16Mi\n": 4, "limits:\n            cpu: 100m\n            memory: 32Mi\n": 4,
		"annotations:\n    a: b\n  name: plain\n": 4, "annotations:": 9, // of the Pods too
		"fieldPath: metadata.annotations['envoy-wait.io/": 12, "kind: ": 6, "Settings": 0,
	} {
		harness.Want(t, text, strings.Count(built.Stdout, text), want)
	}
}

// A variable that the container has is kept, however it has its value. Without an
// annotation there is none to replace one that comes by envFrom.
func TestKustomizeKeepsVariables(t *testing.T) {
	needCluster(t)
	built := kustomize(t, workload("Deployment", "", kustomizeLabels, "containers: [{name: app, image: x, command: [app], envFrom: [{configMapRef: {name: c}}]}]")).WantCode(t, 0)
	harness.Want(t, "variables", strings.Count(built.Stdout, "name: ENVOY_WAIT_"), 0)
	const annotations = `annotations: {envoy-wait.io/timeout: 1s, envoy-wait.io/on-timeout: start}, ` + kustomizeLabels
	const own = "env: [{name: A, value: b}, {name: ENVOY_WAIT_ON_TIMEOUT, value: fail}, {name: ENVOY_WAIT_TIMEOUT, valueFrom: {configMapKeyRef: {name: c, key: timeout}}}, " +
		`{name: ENVOY_WAIT_QUIT, value: "false"}, {name: MY_ENVOY_WAIT_QUIT_ON, value: x}]`
	for _, kind := range []string{"Deployment", "Job", "CronJob"} {
		for _, metadata := range []string{annotations, kustomizeLabels} {
			built := kustomize(t, workload(kind, "", metadata, "restartPolicy: Never, containers: [{name: app, image: x, command: [app], "+own+"}]")).WantCode(t, 0)
			for text, want := range map[string]int{
				"name: ENVOY_WAIT_ON_TIMEOUT\n": 1, "value: fail\n": 1, "name: ENVOY_WAIT_TIMEOUT\n": 1, "key: timeout\n": 1, "fieldPath: metadata.annotations['envoy-wait.io/timeout']": 0,
				"name: ENVOY_WAIT_QUIT\n": 1, `value: "false"`: 1, "name: MY_ENVOY_WAIT_QUIT_ON\n": 1,
				"name: ENVOY_WAIT_QUIT_ON\n": 0,
			} {
				harness.Want(t, kind+": "+text, strings.Count(built.Stdout, text), want)
			}
		}
	}
}

// What has opted out, in whatever way, stays as it is. So does a workload whose first
// container is a sidecar that was written out.
func TestKustomizeLeavesAlone(t *testing.T) {
	needCluster(t)
	const app = "containers: [{name: app, image: x, command: [app]}]"
	for name, test := range map[string]struct {
		metadata, podMetadata, labels, spec string
		wrapped                             bool
	}{
		"nothing":                     {spec: app, wrapped: true},
		"annotation":                  {podMetadata: "annotations: {envoy-wait.io/inject: disabled}, ", spec: app},
		"annotation that is no":       {podMetadata: `annotations: {envoy-wait.io/inject: "false"}, `, spec: app},
		"annotation that is yes":      {podMetadata: "annotations: {envoy-wait.io/inject: enabled}, ", spec: app, wrapped: true},
		"annotation of its own":       {metadata: "annotations: {envoy-wait.io/inject: disabled}", spec: app},
		"annotation of its own is no": {metadata: `annotations: {envoy-wait.io/inject: "false"}`, spec: app},
		"label":                       {labels: "envoy-wait.io/inject: disabled", spec: app},
		"label that is no":            {labels: `envoy-wait.io/inject: "false"`, spec: app},
		"label of its own":            {metadata: "labels: {envoy-wait.io/inject: disabled}", spec: app},
		"label of its own is no":      {metadata: `labels: {envoy-wait.io/inject: "false"}`, spec: app},
		"without a command":           {labels: "envoy-wait.io/inject: disabled", spec: "containers: [{name: app, image: x}]"},
		"a sidecar":                   {spec: "containers: [{name: istio-proxy, image: x, command: [pilot-agent]}, {name: app, image: x, command: [app]}]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			metadata := test.podMetadata + kustomizeLabels
			if test.labels != "" {
				metadata = "labels: {app: plain, " + test.labels + "}"
			}
			var manifests []string
			for _, kind := range []string{"Deployment", "Job", "CronJob"} {
				manifests = append(manifests, workload(kind, test.metadata, metadata, test.spec))
			}
			manifest := strings.Join(manifests, "---\n")
			built := kustomize(t, manifest).WantCode(t, 0)
			harness.Want(t, "prefixes", strings.Count(built.Stdout, "- /envoy-wait.io/envoy-wait\n"), map[bool]int{true: 3}[test.wrapped])
			if !test.wrapped {
				dir := kustomization(t, map[string]string{"manifest.yaml": manifest, "kustomization.yaml": "resources: [manifest.yaml]\n"})
				harness.Want(t, "built", built.Stdout, build(t, dir).Stdout)
			}
		})
	}
}

// The annotation of a Job's Pod says that nothing has to quit, as with the policy.
func TestKustomizeWithoutQuit(t *testing.T) {
	needCluster(t)
	built := kustomize(t, workload("Job", "", `annotations: {envoy-wait.io/quit: "false"}`, "restartPolicy: Never, containers: [{name: app, image: x, command: [app]}]")).WantCode(t, 0)
	harness.Want(t, "prefixes", strings.Count(built.Stdout, "- /envoy-wait.io/envoy-wait\n"), 1)
	harness.Want(t, "variables", strings.Count(built.Stdout, "name: ENVOY_WAIT_QUIT"), 0)
}

// Two kustomizations with the component below one that has only them: the usual layout
// of a repository for GitOps. Or below one with the component, and they are without.
func TestKustomizeBelowAnother(t *testing.T) {
	needCluster(t)
	manifest := workload("Deployment", "", kustomizeLabels, "containers: [{name: app, image: x, command: [app]}]")
	const with, without = "resources: [manifest.yaml]\ncomponents: [COMPONENT]\n", "resources: [manifest.yaml]\n"
	for name, files := range map[string]map[string]string{
		"inner": {"kustomization.yaml": "resources: [a, b]\n", "a/kustomization.yaml": with, "b/kustomization.yaml": with},
		"outer": {"kustomization.yaml": "resources: [a, b]\ncomponents: [COMPONENT]\n", "a/kustomization.yaml": without, "b/kustomization.yaml": without},
	} {
		files["a/manifest.yaml"], files["b/manifest.yaml"] = manifest, strings.Replace(manifest, "name: plain", "name: other", 1)
		built := build(t, kustomization(t, files)).WantCode(t, 0)
		harness.Want(t, name+": prefixes", strings.Count(built.Stdout, "- /envoy-wait.io/envoy-wait\n"), 2)
		harness.Want(t, name+": objects", strings.Count(built.Stdout, "kind: "), 2)
	}
}

// The image is replaced under its own name.
func TestKustomizeImage(t *testing.T) {
	needCluster(t)
	built := build(t, kustomization(t, map[string]string{
		"manifest.yaml": workload("Deployment", "", kustomizeLabels, "containers: [{name: app, image: x, command: [app]}]"),
		"kustomization.yaml": "resources: [manifest.yaml]\ncomponents: [COMPONENT]\n" +
			"images: [{name: ghcr.io/envoy-wait/envoy-wait, newName: registry.example.com/mirror/envoy-wait}]\n",
	}))
	built.WantCode(t, 0)
	harness.WantIn(t, built.Stdout, "image: registry.example.com/mirror/envoy-wait:0.9.0\n")
}

// Without a command there is nothing to put envoy-wait in front of: no manifest
// comes out.
func TestKustomizeWithoutACommand(t *testing.T) {
	needCluster(t)
	for _, kind := range []string{"Deployment", "CronJob"} {
		r := build(t, kustomization(t, map[string]string{
			"manifest.yaml":      workload(kind, "", kustomizeLabels, "containers: [{name: app, image: x}]"),
			"kustomization.yaml": "resources: [manifest.yaml]\ncomponents: [COMPONENT]\n",
		}))
		if r.Code == 0 || r.Stdout != "" {
			t.Errorf("%+v", r)
		}
		harness.WantIn(t, r.Stderr, "/template/spec/containers/0/command/0")
	}
}
