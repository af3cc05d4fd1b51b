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

// kinds are the ways in which the Pods of these tests start.
var kinds = []struct{ name, label, annotation string }{
	{"without envoy-wait", "", ""},
	{"behind the policy", injected, ""},
	{"held by Istio", "", `"holdApplicationUntilProxyStarts": true, `},
}

const policyKind, istioKind = 1, 2

// figures are those of one kind.
type figures struct {
	api           []time.Duration // requests
	one           []time.Duration // from the request to a Pod that is Ready
	started, anew []time.Duration // all Pods
}

// What the policy costs: requests to the API server, the start of one Pod, and that of
// many. In turn with the same Pods without it, and with Pods that wait in another way.
func TestRecordPolicyCost(t *testing.T) {
	needCluster(t)
	rounds, requests, deployments, replicas := 1, 20, 1, 1 // proves that it works, and no more
	if *record {
		rounds, requests, deployments, replicas = 3, 1000, 10, 10
	}
	if err := installPolicy(); err != nil {
		t.Fatal(err)
	}
	api := newAPI(t)
	found := make([]figures, len(kinds))
	for round := range rounds {
		var namespaces []*namespace
		for i, kind := range kinds {
			n := namedNamespace(t, fmt.Sprintf("policy-cost-%d-%d", round, i), strings.Fields(kind.label)...)
			harness.Until(t, "the policy works", func() bool { return i != policyKind || n.injects() })
			namespaces = append(namespaces, n)
		}
		if round == 0 {
			for range requests {
				for i, n := range namespaces[:istioKind] {
					found[i].api = append(found[i].api, api.create(n, "?dryRun=All", inMesh("x", "", "containers: [{name: app, image: x, command: [app], env: [{name: A, value: b}]}]")))
				}
			}
		}
		gone := func(n *namespace, what string, more ...string) {
			n.kubectl(append([]string{"delete", what, "--all", "--wait=false"}, more...)...)
			harness.Until(t, "all Pods are gone", func() bool { return !*record || n.kubectl("get", "pods", "-o", "name") == "" })
		}
		for i, n := range namespaces {
			pod := inject(t, inMesh("one-0", annotation(i), `terminationGracePeriodSeconds: 1, containers: [{name: app, image: "`+imageShop+`", command: [app]}]`))
			for j := range 1 + requests/200 {
				name := fmt.Sprintf("one-%d", j)
				start := time.Now()
				api.create(n, "", strings.ReplaceAll(pod, "name: one-0\n", "name: "+name+"\n"))
				pods.await(n, name, "Ready", func(o object) bool { return o.condition("Ready") == "True" })
				found[i].one = append(found[i].one, time.Since(start))
			}
			gone(n, "pods")
		}
		for i, n := range namespaces {
			n.apply(manyPods(t, deployments, replicas, annotation(i)))
			found[i].started = append(found[i].started, n.awaitAll(deployments*replicas))
			n.kubectl("rollout", "restart", "deployment")
			found[i].anew = append(found[i].anew, n.awaitAll(deployments*replicas))
			t.Logf("%s: one %v, all %v, anew %v", kinds[i].name, found[i].one, found[i].started, found[i].anew)
			gone(n, "deployments", "--cascade=foreground")
		}
	}
	text := costs(found, deployments*replicas)
	t.Log("\n" + text)
	if *record {
		write(t, "kubernetes.md", "policy cost", text)
	}
}

func annotation(kind int) string {
	return `proxy.istio.io/config: '{` + kinds[kind].annotation + `"proxyMetadata": {"STANDIN_WORKERS_START": "0s"}}'`
}

// manyPods are Deployments with Istio's sidecar, which is ready as soon as it can be. Each
// Deployment's has a user of its own, since one user has only so many inotify instances.
// The redirect lets the group pass, too.
func manyPods(t *testing.T, deployments, replicas int, annotation string) string {
	t.Helper()
	one := inject(t, plain("Deployment", fmt.Sprintf("replicas: %d\n  ", replicas)+selector, annotation,
		"      terminationGracePeriodSeconds: 1\n"+plainApp))
	var all []string
	for i := range deployments {
		name := fmt.Sprintf("plain-%d", i)
		all = append(all, strings.NewReplacer("name: plain\n", "name: "+name+"\n", "app: plain\n", "app: "+name+"\n", "runAsUser: 1337\n", fmt.Sprintf("runAsUser: %d\n", 13370+i)).Replace(one))
	}
	return strings.Join(all, "\n---\n")
}

// awaitAll returns how long it takes until this many Pods of Deployments are Ready, and
// no older ones are left.
func (n *namespace) awaitAll(want int) time.Duration {
	n.t.Helper()
	start := time.Now()
	for deadline := start.Add(10 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		var list struct {
			Items []struct {
				Metadata struct{ Generation int }
				Status   struct{ ObservedGeneration, Replicas, UpdatedReplicas, ReadyReplicas int }
			}
		}
		if err := json.Unmarshal([]byte(n.kubectl("get", "deployments", "-o", "json")), &list); err != nil {
			n.t.Fatal(err)
		}
		ready := 0
		for _, d := range list.Items {
			if s := d.Status; s.ObservedGeneration == d.Metadata.Generation && s.Replicas == s.UpdatedReplicas && s.Replicas == s.ReadyReplicas {
				ready += s.ReadyReplicas
			}
		}
		if ready == want {
			return time.Since(start)
		}
		if time.Now().After(deadline) {
			n.t.Fatalf("%d Pods are Ready, want %d", ready, want)
		}
	}
}

// apiServer is asked without the start of a program.
type apiServer struct {
	t      *testing.T
	client *http.Client
}

func newAPI(t *testing.T) *apiServer {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "proxy")
	harness.Start(t, kubectlCommand("proxy", "--unix-socket="+socket)).Await("Starting to serve")
	return &apiServer{t, &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}}
}

// create creates a Pod, and returns how long that takes.
func (a *apiServer) create(n *namespace, query, pod string) time.Duration {
	a.t.Helper()
	start := time.Now()
	response, err := a.client.Post("http://localhost/api/v1/namespaces/"+n.name+"/pods"+query, "application/yaml", strings.NewReader(pod))
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusCreated {
		a.t.Fatalf("status %d, %v: %s", response.StatusCode, err, body)
	}
	took := time.Since(start)
	harness.Want(a.t, n.name+": behind the policy", strings.Contains(string(body), "/envoy-wait.io/envoy-wait"), strings.HasSuffix(n.name, fmt.Sprint("-", policyKind)))
	return took
}

// costs writes the figures down.
func costs(found []figures, many int) string {
	text := fmt.Sprintf("Seconds until Pods with Istio's sidecar are Ready, median of %d turns on %d cores:\n\n"+
		"| | one Pod | %[3]d Pods | restart of %[3]d |\n|---|---|---|---|\n", len(found[0].started), runtime.NumCPU(), many)
	for i, f := range found {
		text += fmt.Sprintf("| %s | %s | %s | %s |\n", kinds[i].name, median(f.one), median(f.started), median(f.anew))
	}
	policy, istio, without := found[policyKind], found[istioKind], found[0]
	text += fmt.Sprintf("\nBeside holding by Istio that is %.2f and %.2f times. ", ratio(policy.started, istio.started), ratio(policy.anew, istio.anew))
	return text + fmt.Sprintf("The request that creates a Pod takes %s ms, without the policy\n%s ms (median and p99 of %d).\n",
		request(policy.api), request(without.api), len(policy.api))
}

func median(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%.1f", quantile(all, 50).Seconds())
}

func request(all []time.Duration) string {
	slices.Sort(all)
	return fmt.Sprintf("%.1f and %.1f", 1000*quantile(all, 50).Seconds(), 1000*quantile(all, 99).Seconds())
}

// quantile is that of a sorted list.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[(len(sorted)-1)*percent/100]
}

func ratio(a, b []time.Duration) float64 {
	return quantile(a, 50).Seconds() / quantile(b, 50).Seconds()
}
