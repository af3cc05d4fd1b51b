//go:build linux

package kubernetes

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// injector has the settings of istiod's webhook: three files of istioctl's own
// making.
type injector struct{ config, values, mesh string }

// The sidecar runs without istiod and without certificates from it.
const meshAdditions = `defaultConfig:
  proxyMetadata:
    FILE_MOUNTED_CERTS: "true"
    XDS_ROOT_CA: SYSTEM
    CLOUD_PLATFORM: none
`

var newInjector = sync.OnceValues(func() (*injector, error) {
	dir, err := programs+"/injector", os.MkdirAll(programs+"/injector", 0o755)
	if err != nil {
		return nil, err
	}
	hub, tag, _ := strings.Cut(imageProxy, "/proxyv2:")
	out, err := exec.Command(filepath.Join(programs, "istioctl"), "manifest", "generate", "--set", "profile=minimal",
		"--set", "hub="+hub, "--set", "tag="+tag,
		// So that many fit on a small node.
		"--set", "values.global.proxy.resources.requests.cpu=1m", "--set", "values.global.proxy.resources.requests.memory=1Mi").Output()
	if err != nil {
		return nil, fmt.Errorf("istioctl manifest generate: %w", err)
	}
	data := map[string]string{}
	for _, document := range strings.Split(string(out), "\n---\n") {
		if !strings.Contains(document, "\nkind: ConfigMap\n") {
			continue
		}
		toJSON := kubectlCommand("create", "--dry-run=client", "-o", "json", "-f", "-")
		toJSON.Stdin = strings.NewReader(document)
		text, err := toJSON.Output()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", toJSON, err)
		}
		var configMap struct{ Data map[string]string }
		if err := json.Unmarshal(text, &configMap); err != nil {
			return nil, err
		}
		for key, value := range configMap.Data {
			data[key] = value
		}
	}
	data["mesh"] = strings.Replace(data["mesh"], "defaultConfig:\n", meshAdditions, 1)
	i := &injector{}
	for key, path := range map[string]*string{"config": &i.config, "values": &i.values, "mesh": &i.mesh} {
		if data[key] == "" {
			return nil, fmt.Errorf("istioctl manifest generate printed no %s", key)
		}
		*path = filepath.Join(dir, key)
		if err := os.WriteFile(*path, []byte(data[key]), 0o600); err != nil {
			return nil, err
		}
	}
	return i, nil
})

// inject adds Istio's sidecar to the Pods of a manifest, as istiod's webhook does.
func inject(t *testing.T, manifest string) string {
	t.Helper()
	i, err := newInjector()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	harness.WriteFile(t, file, manifest, 0o600)
	// Without --revision it waits for a cluster.
	return harness.Must(t, filepath.Join(programs, "istioctl"), "kube-inject", "--revision", "default", "--kubeconfig", "/dev/null",
		"--injectConfigFile", i.config, "--valuesFile", i.values, "--meshConfigFile", i.mesh, "-f", file)
}

const proxy = "istio-proxy"

// startWorkers lets the Envoy of a Pod become ready. A node that is busy may lose
// the connection of kubectl exec.
func (n *namespace) startWorkers(pod object) {
	n.t.Helper()
	harness.Until(n.t, "the workers start", func() bool {
		r := tryKubectl(n.t, "", "-n", n.name, "exec", pod.Metadata.Name, "-c", proxy, "--", "envoy", "workers_start")
		if r.Code != 0 {
			n.t.Logf("kubectl exec: exit status %d: %s", r.Code, r.Stderr)
		}
		return r.Code == 0
	})
}

// istioInitFirst puts the redirect before the other init containers of a Deployment:
// so it is with Istio's CNI plugin, and where a webhook that comes after Istio's adds
// the others. Istio itself puts it behind them.
func istioInitFirst(t *testing.T, manifest string) string {
	t.Helper()
	return transform(t, manifest, "Deployment", func(spec map[string]any) {
		containers := spec["initContainers"].([]any)
		i := slices.IndexFunc(containers, func(c any) bool { return c.(map[string]any)["name"] == "istio-init" })
		spec["initContainers"] = slices.Concat([]any{containers[i]}, containers[:i], containers[i+1:])
	})
}

// transform changes the Pods of a kind in a manifest.
func transform(t *testing.T, manifest, kind string, change func(podSpec map[string]any)) string {
	t.Helper()
	var items []map[string]any
	// It prints one object for each document, without a list around them.
	objects := json.NewDecoder(strings.NewReader(kubectl(t, manifest, "create", "--dry-run=client", "-o", "json", "-f", "-")))
	for objects.More() {
		var o map[string]any
		if err := objects.Decode(&o); err != nil {
			t.Fatal(err)
		}
		delete(o["metadata"].(map[string]any), "namespace")
		if o["kind"] == kind {
			spec := o["spec"].(map[string]any)
			if template, ok := spec["template"].(map[string]any); ok {
				spec = template["spec"].(map[string]any)
			}
			change(spec)
		}
		items = append(items, o)
	}
	list, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "List", "items": items})
	if err != nil {
		t.Fatal(err)
	}
	return string(list)
}
