//go:build linux

package kubernetes

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// TestDocumentation runs the commands of docs/kubernetes.md: how to find workloads
// without a command, how to adopt the policy, what it does not hold, and how to leave.
func TestDocumentation(t *testing.T) {
	needPolicy(t)
	dir := kustomization(t, map[string]string{
		"base/kustomization.yaml": "resources: [deployment.yaml, cronjob.yaml, more.yaml]\n",
		"base/deployment.yaml":    workload("Deployment", "", kustomizeLabels, "containers: [{name: app, image: web:1.0}, {name: second, image: x, command: [x]}]"),
		"base/cronjob.yaml":       workload("CronJob", "", "", "restartPolicy: Never, containers: [{name: app, image: report:1.0}]"),
		"base/more.yaml": workload("StatefulSet", "", kustomizeLabels, "containers: [{name: app, image: x, command: [app]}]") +
			"---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n---\n{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 80}]}}\n",
	})
	if err := os.Symlink(filepath.Join(harness.Root(), "deploy"), filepath.Join(dir, "deploy")); err != nil {
		t.Fatal(err)
	}
	n := namedNamespace(t, "shop")
	n.apply(plain("Deployment", selector, "", plainApp))
	current := pods.await(n, "plain", "as it is", func(o object) bool { return !wrapped(o) })
	anew := func(want bool) {
		current = pods.await(n, "plain", "started anew", func(o object) bool {
			return o.Metadata.Name != current.Metadata.Name && wrapped(o) == want && running("app")(o)
		})
	}

	text := harness.ReadFile(t, filepath.Join(harness.Root(), "docs", "kubernetes.md"))
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1)
	after := []func(string){
		func(out string) {
			harness.Want(t, "without a command", out, "Deployment plain: web:1.0\nCronJob plain: report:1.0\n")
		},
		func(string) { anew(true) },
		func(out string) { harness.Want(t, "not held", out, "late app\n") },
		func(string) { anew(false) },
	}
	harness.Want(t, "blocks of commands", len(blocks), len(after))
	for i, block := range blocks {
		out := ""
		for line := range strings.Lines(block[1]) {
			if strings.Contains(line, "get pods") {
				n.apply(inject(t, inMesh("late", "envoy-wait.io/inject: disabled", "containers: [{name: app, image: \""+imageShop+"\", command: [app]}]")))
				n.apply(inject(t, inMesh("waits", "", "containers: [{name: app, image: \""+imageShop+"\", command: [app]}]")))
				n.apply(inject(t, inMesh("held", "proxy.istio.io/config: 'holdApplicationUntilProxyStarts: true'", "containers: [{name: app, image: \""+imageShop+"\"}]")))
			}
			line = strings.Replace(line, "kubectl delete", "kubectl delete --dry-run=server", 1) // other tests use it
			// kubectl refuses a second restart within the same second.
			harness.Until(t, line, func() bool {
				cmd := exec.Command("sh", "-c", line)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "PATH="+programs+":"+os.Getenv("PATH"))
				r := harness.Start(t, cmd).Result()
				out = r.Stdout
				return r.Code == 0
			})
			if strings.Contains(line, "label namespace") { // Pods that run keep what they have
				harness.Want(t, "deleted at once", n.now(current.Metadata.Name).deleted, false)
			}
		}
		after[i](out)
	}
}

func wrapped(pod object) bool {
	command := pod.Spec.Containers[0].Command
	return len(command) > 0 && command[0] == "/envoy-wait.io/envoy-wait"
}

// What an image starts, as the documentation tells to find out.
func TestEntrypointOfAnImage(t *testing.T) {
	needCluster(t)
	crane := filepath.Join(harness.Root(), "bin", "tools", "crane")
	harness.Need(t, fileExists(crane), "needs make bin/tools/crane")
	harness.NeedTools(t, "podman")
	archive := filepath.Join(programs, "images", "registry.example.com-report-1.0.tar")
	for _, text := range []string{"podman image inspect IMAGE", "crane config IMAGE"} {
		harness.WantIn(t, harness.ReadFile(t, filepath.Join(harness.Root(), "docs", "kubernetes.md")), text)
	}

	storage := t.TempDir()
	podman := []string{"--root", storage + "/root", "--runroot", storage + "/run", "--storage-driver", "vfs"}
	harness.Must(t, "podman", append(podman, "load", "-i", archive)...)
	entrypoint := regexp.MustCompile(`"Entrypoint": ?\[\s*"report"\s*\]`)
	if out := harness.Must(t, "podman", append(podman, "image", "inspect", "registry.example.com/report:1.0")...); !entrypoint.MatchString(out) {
		t.Errorf("podman image inspect says %s", out)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	harness.Start(t, exec.Command(crane, "registry", "serve", "--address", address))
	harness.Until(t, "the image is in a registry", func() bool { return harness.Run(t, crane, "push", archive, address+"/report:1.0").Code == 0 })
	if out := harness.Must(t, crane, "config", address+"/report:1.0"); !entrypoint.MatchString(out) {
		t.Errorf("crane config says %s", out)
	}
}
