package main

import (
	"slices"
	"strings"
)

// proxy is a sidecar that is known by name: where it tells whether it is ready,
// which status it then answers, and where a POST ends it ("" where nothing does).
type proxy struct {
	name, ready, status, quit string
}

// proxies is what --proxy chooses from; the first is the default. The comment on
// each row is its source.
var proxies = []proxy{
	// istio.io: pilot/cmd/pilot-agent/status/server.go
	{"istio", "http://localhost:15020/healthz/ready", "200", "http://localhost:15020/quitquitquit"},
	// www.envoyproxy.io/docs/envoy/latest/operations/admin
	{"envoy", "http://localhost:9901/ready", "200", "http://localhost:9901/quitquitquit"},
	// github.com/hashicorp/consul-dataplane: -envoy-admin-bind-port, -graceful-port
	{"consul", "http://127.0.0.1:19000/ready", "200", "http://127.0.0.1:20600/graceful_shutdown"},
	// docs.aws.amazon.com/app-mesh/latest/userguide/envoy-config.html: ENVOY_ADMIN_ACCESS_PORT
	{"appmesh", "http://localhost:9901/ready", "200", "http://localhost:9901/quitquitquit"},
	// github.com/kumahq/kuma: app/kuma-dp/pkg/dataplane/readiness; older ones have Envoy's admin on 9901
	{"kuma", "http://localhost:9902/ready", "200", ""},
	// linkerd.io/2/tasks/graceful-shutdown: /shutdown is 404 unless it is enabled
	{"linkerd", "http://localhost:4191/ready", "200", "http://localhost:4191/shutdown"},
	// docs.solo.io/gateway: Envoy's admin is on 19000
	{"gloo", "http://localhost:19000/ready", "200", "http://localhost:19000/quitquitquit"},
	// docs.dapr.io/reference/api/health_api: outbound does not wait for the app itself
	{"dapr", "http://localhost:3500/v1.0/healthz/outbound", "204", "http://localhost:3500/v1.0/shutdown"},
	// github.com/GoogleCloudPlatform/cloud-sql-proxy: --health-check, --quitquitquit
	{"cloud-sql-proxy", "http://localhost:9090/startup", "200", "http://localhost:9091/quitquitquit"},
}

// isIstios reports whether a URL is one of Istio's agent or Envoy, whose parts a
// hint may name.
func (s *settings) isIstios(url string) bool {
	ports := []string{":15000", ":15020", ":15021"} // istio.io/latest/docs/ops/deployment/application-requirements
	return s.Proxy == "istio" && (!s.urlGiven || slices.ContainsFunc(ports, func(port string) bool { return strings.Contains(url, port) }))
}

func proxyNames() string {
	var names []string
	for _, p := range proxies {
		names = append(names, p.name)
	}
	return strings.Join(names, ",")
}

// proxyCalled returns the proxy of that name; there is one.
func proxyCalled(name word) proxy {
	return proxies[slices.IndexFunc(proxies, func(p proxy) bool { return p.name == string(name) })]
}
