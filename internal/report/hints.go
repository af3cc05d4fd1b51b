package report

import (
	"net/http"
	"strings"

	"github.com/envoy-wait/envoy-wait/probe"
)

// hint is where to look for one situation. A field that is zero fits any.
type hint struct {
	sidecar string        // a preset
	port    string        // what the URL's host ends with, such as ":15021"
	scheme  string        // of the URL
	outcome probe.Outcome // of the last attempt
	status  [2]int        // the least and the most
	never   bool          // no attempt has reached the endpoint
	text    string
}

type hints []hint

// find returns the first hint that fits an attempt, or "".
func (table hints) find(a probe.Attempt, sidecar string) string {
	scheme, rest, _ := strings.Cut(a.URL, "://")
	host, _, _ := strings.Cut(rest, "/")
	for _, h := range table {
		if (h.sidecar == "" || h.sidecar == sidecar) &&
			(h.port == "" || strings.HasSuffix(host, h.port)) &&
			(h.scheme == "" || strings.EqualFold(h.scheme, scheme)) &&
			(h.outcome == 0 || h.outcome == a.Outcome) &&
			(h.status[1] == 0 || h.status[0] <= a.Status && a.Status <= h.status[1]) &&
			(!h.never || !a.Reached) {
			return h.text
		}
	}
	return ""
}

func exactly(status int) [2]int { return [2]int{status, status} }

// waitHints are for a wait that timed out. The first that fits counts.
var waitHints = hints{
	{scheme: "file", outcome: probe.NoAnswer, text: "the file system does not answer: is what serves it running?"},
	{scheme: "file", text: "has the writer of that file run, and is the file mounted here?"},
	{scheme: "tcp", outcome: probe.Refused, text: "does anything listen there? in a mesh every connection is refused until the sidecar listens"},
	{scheme: "tcp", outcome: probe.NoAnswer, text: "is the address right, and does a firewall or a NetworkPolicy drop the packets?"},
	{sidecar: "cloud-sql-proxy", outcome: probe.Refused, never: true, text: "does cloud-sql-proxy run in this Pod, with --health-check?"},
	{outcome: probe.Refused, never: true, text: "is there a sidecar in this Pod, and is this an init container? sidecars start after those, unless native"},
	{outcome: probe.Refused, text: "the sidecar was there and is gone: did it crash, or does it restart?"},
	{sidecar: "istio", status: exactly(http.StatusServiceUnavailable), text: "the sidecar has no configuration yet: the log of istio-proxy has the reason; is istiod reachable?"},
	{status: exactly(http.StatusServiceUnavailable), text: "the sidecar runs and is not ready: its log has the reason; is its control plane reachable?"},
	{outcome: probe.NotHTTP, text: notReadiness},
	{outcome: probe.Unready, status: [2]int{100, 499}, text: notReadiness},
	{sidecar: "istio", port: ":15021", outcome: probe.NoAnswer, text: "Envoy does not answer: look at the sidecar's CPU limit and its log"},
	{sidecar: "istio", outcome: probe.NoAnswer, text: "Istio's agent does not answer, often because Envoy's admin hangs: look at the sidecar's CPU limit and its log"},
	{outcome: probe.NoAnswer, text: "the sidecar does not answer: look at its CPU limit and its log"},
}

const notReadiness = "is this URL, with its port, a readiness endpoint?"

// quitHints are for a sidecar that was not told to quit. The first that fits counts.
var quitHints = hints{
	{sidecar: "linkerd", status: exactly(http.StatusNotFound), text: "Linkerd's shutdown endpoint is off by default: set proxy.enableShutdownEndpoint=true in Helm"},
	{sidecar: "dapr", status: exactly(http.StatusUnauthorized), text: "the sidecar wants a token (DAPR_API_TOKEN), which envoy-wait never sends"},
	{sidecar: "consul", outcome: probe.Refused, text: "20600 is the port that consul-k8s passes; the default of consul-dataplane is 20300: name it with --quit-url"},
	{sidecar: "cloud-sql-proxy", outcome: probe.Refused, text: "does cloud-sql-proxy run with --quitquitquit?"},
	{status: exactly(http.StatusUnauthorized), text: "the sidecar wants credentials"},
	{status: exactly(http.StatusNotFound), text: "no such endpoint: is the URL right, and is shutdown enabled in this sidecar?"},
	{status: exactly(http.StatusForbidden), text: "the sidecar takes this from its own Pod's loopback only: is the host localhost?"},
	{status: exactly(http.StatusMethodNotAllowed), text: "it takes no POST: this is not a quit endpoint"},
	{outcome: probe.Refused, text: "nothing listens there: has the sidecar ended already, or is there none in this Pod?"},
	{outcome: probe.NoAnswer, text: "the sidecar may not have noticed, and then the Job's Pod does not complete"},
}
