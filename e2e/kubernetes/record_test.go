//go:build linux

package kubernetes

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// With -record the tests of this file measure, and write what they find into the
// documentation: make record-kubernetes.
var record = flag.Bool("record", false, "write versions and the cost of the policy into docs")

// write puts text between the marks in a Markdown file of docs.
func write(t *testing.T, name, mark, text string) {
	t.Helper()
	if err := markdown.Write(filepath.Join(harness.Root(), "docs", name), mark, "\n"+text+"\n"); err != nil {
		t.Fatal(err)
	}
}

// docs/reliability.md names the versions that run here.
func TestRecordVersions(t *testing.T) {
	needCluster(t)
	var nodes struct {
		Items []struct {
			Status struct {
				NodeInfo struct{ KubeletVersion, ContainerRuntimeVersion, KernelVersion, Architecture string }
			}
		}
	}
	if err := json.Unmarshal([]byte(kubectl(t, "", "get", "nodes", "-o", "json")), &nodes); err != nil {
		t.Fatal(err)
	}
	node := nodes.Items[0].Status.NodeInfo
	istio := strings.TrimSpace(harness.Must(t, "go", "-C", filepath.Join(harness.Root(), "e2e/kubernetes/istio"), "list", "-m", "-f", "{{.Version}}", "istio.io/istio"))
	first := func(name string, args ...string) string {
		line, _, _ := strings.Cut(harness.Must(t, name, args...), "\n")
		return line
	}
	rows := [][2]string{
		{"Kubernetes: API server, controllers, scheduler, kubelet", node.KubeletVersion},
		{"container runtime", strings.Replace(node.ContainerRuntimeVersion, "://", " ", 1) + ", " + first("runc", "--version")},
		{"kernel", "Linux " + regexp.MustCompile(`^[0-9.]*`).FindString(node.KernelVersion) + ", " + node.Architecture + ", control groups " + map[bool]string{true: "v2", false: "v1"}[fileExists("/sys/fs/cgroup/cgroup.controllers")]},
		{"Istio: pilot-agent, istio-iptables, istioctl kube-inject", "module istio.io/istio " + istio},
		{"kustomize", first(filepath.Join(programs, "kustomize"), "version")},
	}
	text := "| part | version |\n|---|---|\n"
	for _, row := range rows {
		text += "| " + row[0] + " | " + row[1] + " |\n"
	}
	if *record {
		write(t, "reliability.md", "versions", text)
	}
	if os.Getenv(clusterVariable) == inside { // another cluster has its own
		harness.WantIn(t, harness.ReadFile(t, filepath.Join(harness.Root(), "docs", "reliability.md")), node.KubeletVersion, strings.Replace(node.ContainerRuntimeVersion, "://", " ", 1), istio, rows[4][1])
	}
}

// What the policy costs the API server: Pods that are admitted and not stored, in a
// namespace with the policy and one without, in turn.
func TestRecordPolicyCost(t *testing.T) {
	needCluster(t)
	pods := 20
	if *record {
		pods = 1000
	}
	if err := installPolicy(); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "proxy")
	harness.Start(t, kubectlCommand("proxy", "--unix-socket="+socket)).Await("Starting to serve")
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	const pod = `{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x", "labels": {"sidecar.istio.io/inject": "true"}},
		"spec": {"containers": [{"name": "app", "image": "x", "command": ["app"], "env": [{"name": "A", "value": "b"}]}]}}`
	admit := func(n *namespace) (time.Duration, bool) {
		start := time.Now()
		response, err := client.Post("http://localhost/api/v1/namespaces/"+n.name+"/pods?dryRun=All", "application/json", strings.NewReader(pod))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		body, err := io.ReadAll(response.Body)
		if err != nil || response.StatusCode != http.StatusCreated {
			t.Fatalf("status %d, %v: %s", response.StatusCode, err, body)
		}
		return time.Since(start), strings.Contains(string(body), "/opt/envoy-wait/envoy-wait")
	}
	without, with := namedNamespace(t, "policy-cost-without"), namedNamespace(t, "policy-cost-with", injected)
	harness.Until(t, "the policy works", func() bool { _, injected := admit(with); return injected })

	var costs [2][]time.Duration
	for range pods {
		for i, n := range []*namespace{without, with} {
			took, injected := admit(n)
			if injected != (n == with) {
				t.Fatalf("%s: injected is %v", n.name, injected)
			}
			costs[i] = append(costs[i], took)
		}
	}
	var median [2]float64
	for i := range costs {
		slices.Sort(costs[i])
		median[i] = float64(costs[i][pods/2].Microseconds()) / 1000
	}
	text := fmt.Sprintf("%d Pods each, in turn, by dry run, on a machine with %d cores: the median request takes %.1f ms with the policy and %.1f ms\nwithout, which is %.1f times as long.\n",
		pods, runtime.NumCPU(), median[1], median[0], median[1]/median[0])
	t.Log(text)
	if *record {
		write(t, "kubernetes.md", "policy cost", text)
	}
}
