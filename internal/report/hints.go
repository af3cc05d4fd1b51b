package report

import (
	neturl "net/url"
	"slices"
	"strings"

	"github.com/envoy-wait/envoy-wait/probe"
)

// hint says what to do in one situation. A field that is zero fits any.
type hint struct {
	at      string        // how port and path of the URL begin, such as ":15020/"
	scheme  string        // of the URL
	outcome probe.Outcome // of the last attempt
	status  int           // such as 503, or 5 for each 5xx
	cause   string        // part of the last cause
	never   bool          // no attempt has reached the endpoint
	job     bool          // the command is a Job's
	text    string        // or "" for no hint
}

type hints []hint

// find returns the first hint that fits an attempt, or "".
func (table hints) find(a probe.Attempt, job bool) string {
	u, err := neturl.Parse(a.URL)
	if err != nil {
		return ""
	}
	for _, h := range table {
		if strings.HasPrefix(":"+u.Port()+u.Path, h.at) &&
			(h.scheme == "" || h.scheme == u.Scheme) &&
			(h.outcome == 0 || h.outcome == a.Outcome) &&
			(h.status == 0 || h.status == a.Status || h.status == a.Status/100) &&
			strings.Contains(a.Cause(), h.cause) &&
			(!h.never || !a.Reached) && (!h.job || job) {
			return h.text
		}
	}
	return ""
}

// all returns the hints for attempts, each one once, as the end of a message.
func (table hints) all(job bool, attempts ...probe.Attempt) string {
	var texts []string
	for _, a := range attempts {
		if text := table.find(a, job); text != "" && !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return "; hint: " + strings.Join(texts, "; ")
}

// waitHints are for a wait that timed out. The first that fits counts.
var waitHints = hints{
	{scheme: "file", outcome: probe.NoAnswer, text: "the file system does not answer: look at what serves it"},
	{scheme: "file", cause: "empty", text: "the file is there and empty: its writer must write something into it"},
	{scheme: "file", cause: "not a regular file", text: "for a socket use unix:///path"},
	{scheme: "file", text: "look at the writer of that file, and at the volume: is it mounted here too?"},
	{scheme: "unix", outcome: probe.Refused, text: "look at the server of that socket, and at the path: it must be a socket, in a volume that is mounted here too"},
	{scheme: "tcp", outcome: probe.Refused, text: "nothing listens there yet, or the sidecar does not: in a mesh it refuses every connection until it listens"},
	{scheme: "tcp", outcome: probe.NoAnswer, text: "look at the address, at firewalls and at NetworkPolicies: one may drop the packets"},
	{scheme: "https", cause: "HTTP response to HTTPS client", text: "the endpoint speaks no TLS: use http://"},
	{scheme: "https", cause: "unknown authority", text: "name the file with the certificate of your CA in SSL_CERT_FILE"},
	{at: ":9090/startup", outcome: probe.Refused, never: true, text: "start cloud-sql-proxy in this Pod, with --health-check"},
	{at: ":9902/ready", outcome: probe.Refused, never: true, text: noSidecar + "; before Kuma 2.14, and with envoyAdminUnixSocket: false, use --url http://localhost:9901/ready"},
	{outcome: probe.Refused, never: true, job: true, text: noSidecar + "; a Job's first try may have told it to quit: set restartPolicy Never"},
	{outcome: probe.Refused, never: true, text: noSidecar},
	{outcome: probe.Refused, text: "the sidecar was there and is gone: look at its restarts and its last log"},
	{at: ":15020/", status: 503, text: "the sidecar has no configuration yet: look for the reason in the log of istio-proxy, and whether it reaches istiod"},
	{at: ":3500/", status: 500, text: "Dapr says 500 until it is ready: look for the reason in the log of daprd"},
	{status: 2, text: "the endpoint answers, and its status does not count as ready: look at --ready-status and the URL"},
	{status: 503, text: "the sidecar runs and is not ready: look for the reason in its log, and whether it reaches its control plane"},
	{outcome: probe.NotHTTP, text: notReadiness},
	{status: 5}, // no hint
	{outcome: probe.Unready, text: notReadiness},
	{outcome: probe.Failed, cause: "connection ", text: "the other side ended the connection: look at its log"},
	{at: ":15020/", outcome: probe.NoAnswer, text: "Istio's agent does not answer, often because Envoy's admin hangs: look at the sidecar's CPU limit and its log"},
	{outcome: probe.NoAnswer, text: "the sidecar does not answer: look at its CPU limit and its log"},
}

const (
	noSidecar    = "no sidecar in this Pod, or an init container: sidecars that are not native start after those, and after postStart hooks"
	notReadiness = "no readiness endpoint: look at the URL and its port"
)

// quitHints are for a sidecar that was not told to quit. The first that fits counts.
var quitHints = hints{
	{at: ":4191/", status: 404, text: "Linkerd's shutdown endpoint is off by default: set proxy.enableShutdownEndpoint=true in Helm"},
	{at: ":3500/", status: 401, text: "the sidecar wants a token (DAPR_API_TOKEN), which envoy-wait never sends"},
	{at: ":20600/", outcome: probe.Refused, text: "20600 is consul-k8s's port: elsewhere use --quit-url http://127.0.0.1:20300/graceful_shutdown in place of --quit"},
	{at: ":9091/", outcome: probe.Refused, text: "start cloud-sql-proxy with --quitquitquit"},
	{status: 401, text: "the sidecar wants credentials"},
	{status: 404, text: "no such endpoint: look at the URL, and whether shutdown is enabled in this sidecar"},
	{status: 403, text: "the sidecar takes this from its own Pod's loopback only: use the host localhost"},
	{status: 405, text: "it takes no POST: this is not a quit endpoint"},
	{status: 5, text: "the sidecar could not quit: look for the reason in its log"},
	{outcome: probe.Refused, text: "nothing listens there: the sidecar has ended already, or there is none in this Pod"},
	{outcome: probe.NoAnswer, text: "the sidecar may not have noticed, and then the Job's Pod does not complete"},
	{outcome: probe.Failed}, // no hint
	{text: "no quit endpoint: look at the URL and its port"},
}
