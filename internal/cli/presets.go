package cli

import (
	"net/url"
	"slices"

	"github.com/envoy-wait/envoy-wait/probe"
)

// preset is a sidecar that is known by name: where it tells whether it is ready, which status it answers then, and
// where a POST quits it ("" where nothing does). note says for which of them that is true. gate is probe.Config.Gate.
type preset struct {
	name, ready, status, quit, note string
	gate                            uint16
}

// presets is what --sidecar chooses from; the first is the default. Each was tried against the real program. The
// comment on a row is its source.
var presets = []preset{
	// github.com/istio/istio: pilot/cmd/pilot-agent/status/server.go
	{"istio", "http://localhost:15020/healthz/ready", "200", "http://localhost:15020/quitquitquit", "", probe.DefaultGate},
	// www.envoyproxy.io/docs/envoy/latest/operations/admin; the port is the documentation's example
	{"envoy", "http://localhost:9901/ready", "200", "http://localhost:9901/quitquitquit", "an Envoy whose admin is on 9901", 0},
	// github.com/hashicorp/consul-k8s: connect-inject/webhook/consul_dataplane_sidecar.go
	{"consul", "http://127.0.0.1:19000/ready", "200", "http://127.0.0.1:20600/graceful_shutdown", "as consul-k8s starts it", 0},
	// github.com/kumahq/kuma: app/kuma-dp/pkg/dataplane/readiness
	{"kuma", "http://localhost:9902/ready", "200", "", "2.14 and later", 0},
	// linkerd.io/2/tasks/graceful-shutdown
	{"linkerd", "http://localhost:4191/ready", "200", "http://localhost:4191/shutdown", "quit: with proxy.enableShutdownEndpoint=true", 0},
	// docs.dapr.io/reference/api/health_api: outbound does not wait for the app itself
	{"dapr", "http://localhost:3500/v1.0/healthz/outbound", "204", "http://localhost:3500/v1.0/shutdown", "quit: without DAPR_API_TOKEN", 0},
	// github.com/GoogleCloudPlatform/cloud-sql-proxy
	{"cloud-sql-proxy", "http://localhost:9090/startup", "200", "http://localhost:9091/quitquitquit", "v2 with --health-check and --quitquitquit", 0},
}

// presetCalled returns the preset of that name; there is one.
func presetCalled(name string) preset {
	return presets[slices.IndexFunc(presets, func(p preset) bool { return p.name == name })]
}

// istioPorts are those of Envoy's admin, Istio's agent and Envoy's health listener:
// istio.io/latest/docs/ops/deployment/application-requirements.
var istioPorts = []string{"15000", "15020", "15021"}

// sidecars returns, by URL, the preset whose parts a hint may name: the chosen one for its own URL, and for other
// URLs Istio's where the port is one of Istio's.
func sidecars(chosen preset, urls []string) map[string]string {
	names := map[string]string{chosen.ready: chosen.name, chosen.quit: chosen.name}
	for _, raw := range urls {
		u, err := url.Parse(raw)
		if err == nil && chosen.name == "istio" && slices.Contains(istioPorts, u.Port()) {
			names[raw] = chosen.name
		}
	}
	return names
}
