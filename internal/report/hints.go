package report

import (
	"net/http"
	neturl "net/url"
	"strings"

	"github.com/envoy-wait/envoy-wait/probe"
)

// hint is where to look for one situation. A field that is zero fits any.
type hint struct {
	at      string        // how port and path of the URL begin, such as ":15020/"
	scheme  string        // of the URL
	outcome probe.Outcome // of the last attempt
	status  [2]int        // the least and the most
	never   bool          // no attempt has reached the endpoint
	text    string
}

type hints []hint

// find returns the first hint that fits an attempt, or "".
func (table hints) find(a probe.Attempt) string {
	u, err := neturl.Parse(a.URL)
	if err != nil {
		return ""
	}
	for _, h := range table {
		if strings.HasPrefix(":"+u.Port()+u.Path, h.at) &&
			(h.scheme == "" || h.scheme == u.Scheme) &&
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
	{at: ":9090/startup", outcome: probe.Refused, never: true, text: "does cloud-sql-proxy run in this Pod, with --health-check?"},
	{outcome: probe.Refused, never: true, text: "is there a sidecar in this Pod, and is this an init container? sidecars start after those, unless native"},
	{outcome: probe.Refused, text: "the sidecar was there and is gone: did it crash, or does it restart?"},
	{at: ":15020/", status: exactly(http.StatusServiceUnavailable), text: "the sidecar has no configuration yet: the log of istio-proxy has the reason; is istiod reachable?"},
	{status: exactly(http.StatusServiceUnavailable), text: "the sidecar runs and is not ready: its log has the reason; is its control plane reachable?"},
	{outcome: probe.NotHTTP, text: notReadiness},
	{outcome: probe.Unready, status: [2]int{100, 499}, text: notReadiness},
	{at: ":15021/", outcome: probe.NoAnswer, text: "Envoy does not answer: look at the sidecar's CPU limit and its log"},
	{at: ":15020/", outcome: probe.NoAnswer, text: "Istio's agent does not answer, often because Envoy's admin hangs: look at the sidecar's CPU limit and its log"},
	{outcome: probe.NoAnswer, text: "the sidecar does not answer: look at its CPU limit and its log"},
}

const notReadiness = "is this URL, with its port, a readiness endpoint?"

// quitHints are for a sidecar that was not told to quit. The first that fits counts.
var quitHints = hints{
	{at: ":4191/", status: exactly(http.StatusNotFound), text: "Linkerd's shutdown endpoint is off by default: set proxy.enableShutdownEndpoint=true in Helm"},
	{at: ":3500/", status: exactly(http.StatusUnauthorized), text: "the sidecar wants a token (DAPR_API_TOKEN), which envoy-wait never sends"},
	{at: ":20600/", outcome: probe.Refused, text: "20600 is the port that consul-k8s passes; the default of consul-dataplane is 20300: name it with --quit-url"},
	{at: ":9091/", outcome: probe.Refused, text: "does cloud-sql-proxy run with --quitquitquit?"},
	{status: exactly(http.StatusUnauthorized), text: "the sidecar wants credentials"},
	{status: exactly(http.StatusNotFound), text: "no such endpoint: is the URL right, and is shutdown enabled in this sidecar?"},
	{status: exactly(http.StatusForbidden), text: "the sidecar takes this from its own Pod's loopback only: is the host localhost?"},
	{status: exactly(http.StatusMethodNotAllowed), text: "it takes no POST: this is not a quit endpoint"},
	{outcome: probe.Refused, text: "nothing listens there: has the sidecar ended already, or is there none in this Pod?"},
	{outcome: probe.NoAnswer, text: "the sidecar may not have noticed, and then the Job's Pod does not complete"},
}
