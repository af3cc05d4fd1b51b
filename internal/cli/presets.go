package cli

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// Preset is a sidecar that is known by name.
type Preset struct {
	Name   string
	Ready  string // the readiness URL
	Status int    // that Ready answers when the sidecar is ready
	Quit   string // the URL that a POST quits the sidecar at; "" where there is none
	Note   string // where Ready and Quit work
	Port   string // the variable that moves the port of Ready
	Gate   uint16 // see probe.Config
	Source string // of what this row says
}

// Presets are what --sidecar chooses from.
var Presets = []Preset{
	{Name: "istio", Ready: probe.DefaultURL, Status: 200, Quit: probe.DefaultQuitURL, Note: "the default", Gate: probe.DefaultGate, Source: "github.com/istio/istio/pilot/cmd/pilot-agent/status/server.go"},
	{Name: "envoy", Ready: "http://localhost:9901/ready", Status: 200, Quit: "http://localhost:9901/quitquitquit", Note: "an Envoy whose admin is on 9901", Source: "www.envoyproxy.io/docs/envoy/latest/operations/admin"},
	{Name: "consul", Ready: "http://127.0.0.1:19000/ready", Status: 200, Quit: "http://127.0.0.1:20600/graceful_shutdown", Note: "as consul-k8s starts it", Source: "github.com/hashicorp/consul-k8s/connect-inject/webhook/consul_dataplane_sidecar.go"},
	{Name: "kuma", Ready: "http://localhost:9902/ready", Status: 200, Note: "2.14 or later, envoyAdminUnixSocket on; kuma-cp ends Jobs", Source: "github.com/kumahq/kuma/app/kuma-dp/pkg/dataplane/readiness"},
	{Name: "linkerd", Ready: "http://localhost:4191/ready", Status: 200, Quit: "http://localhost:4191/shutdown", Note: "quit: with proxy.enableShutdownEndpoint=true", Source: "linkerd.io/2/tasks/graceful-shutdown"},
	{Name: "dapr", Ready: "http://localhost:3500/v1.0/healthz/outbound", Status: 204, Quit: "http://localhost:3500/v1.0/shutdown", Note: "quit: without DAPR_API_TOKEN", Port: "DAPR_HTTP_PORT", Source: "docs.dapr.io/reference/api/health_api"},
	{Name: "cloud-sql-proxy", Ready: "http://localhost:9090/startup", Status: 200, Quit: "http://localhost:9091/quitquitquit", Note: "v2 with --health-check and --quitquitquit", Source: "github.com/GoogleCloudPlatform/cloud-sql-proxy"},
}

// Decode makes the value of --sidecar the preset itself. An unknown name leaves a preset without URLs, so that nobody is
// told to quit, and Validate refuses it.
func (p *Preset) Decode(ctx *kong.DecodeContext) error {
	return decode(ctx, "one of "+strings.Join(presetNames(), ", "), func(name string) bool {
		*p = Preset{Name: name}
		if i := slices.Index(presetNames(), name); i >= 0 {
			*p = Presets[i]
		}
		return true
	})
}

func presetNames() (names []string) {
	for _, preset := range Presets {
		names = append(names, preset.Name)
	}
	return names
}
