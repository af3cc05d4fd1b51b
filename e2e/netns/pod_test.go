//go:build linux

package netns

import (
	"fmt"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The addresses of the scene: those of another host are the gateway, which is
// also redis' own, and Vault's.
const (
	podAddress   = "10.244.0.5"
	gateway      = "10.244.0.1"
	redis        = gateway + ":6379"
	redisService = "10.96.0.10" // no host has it: only the sidecar knows what is behind it
	vault        = "10.20.30.40"
)

// pod is the network of a Pod, and another host that it reaches by a cable.
type pod struct {
	*machine
	host *machine
}

// needPods is Need for all that is in a Pod.
func needPods(t *testing.T) {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedTools(t, "ip", "nsenter", "iptables-restore", "redis-server", "redis-cli")
}

func newPod(t *testing.T) *pod {
	t.Helper()
	needPods(t)
	p := &pod{host: newMachine(t), machine: newMachine(t)}
	harness.Must(t, "ip", "link", "add", "eth0", "netns", p.host.pid(), "type", "veth",
		"peer", "name", "eth0", "netns", p.pid())
	for _, args := range []string{
		"link set eth0 up", "addr add " + gateway + "/24 dev eth0", "addr add " + vault + "/32 dev lo",
		"route add unreachable " + redisService + "/32",
	} {
		p.host.must("ip", strings.Fields(args)...)
	}
	// Else packets to the Service would vanish, instead of being refused at once.
	p.host.must("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
	for _, args := range []string{
		"link set eth0 up", "addr add " + podAddress + "/24 dev eth0", "route add default via " + gateway,
	} {
		p.must("ip", strings.Fields(args)...)
	}
	return p
}

// redirect sets up what istio-iptables does in a Pod, with the arguments that
// Istio's injection template gives it, and the ranges of the annotation
// traffic.sidecar.istio.io/excludeOutboundIPRanges. The rules and their order are
// those of github.com/istio/istio/tools/istio-iptables/pkg/capture/run.go, see
// also capture/testdata/*.golden there. Without DNS capture, which is UDP.
func (p *pod) redirect(excluded ...string) {
	p.t.Helper()
	rules := `*nat
:ISTIO_INBOUND - [0:0]
:ISTIO_REDIRECT - [0:0]
:ISTIO_IN_REDIRECT - [0:0]
:ISTIO_OUTPUT - [0:0]
-A ISTIO_INBOUND -p tcp --dport 15008 -j RETURN
-A ISTIO_REDIRECT -p tcp -j REDIRECT --to-ports 15001
-A ISTIO_IN_REDIRECT -p tcp -j REDIRECT --to-ports 15006
-A PREROUTING -p tcp -j ISTIO_INBOUND
-A ISTIO_INBOUND -p tcp --dport 15090 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15021 -j RETURN
-A ISTIO_INBOUND -p tcp --dport 15020 -j RETURN
-A ISTIO_INBOUND -p tcp -j ISTIO_IN_REDIRECT
-A OUTPUT -j ISTIO_OUTPUT
-A ISTIO_OUTPUT -o lo -s 127.0.0.6/32 -j RETURN
`
	for _, owner := range []string{"--uid-owner", "--gid-owner"} {
		rules += fmt.Sprintf(`-A ISTIO_OUTPUT -o lo ! -d 127.0.0.1/32 -p tcp ! --dport 15008 -m owner %[1]s %[2]d -j ISTIO_IN_REDIRECT
-A ISTIO_OUTPUT -o lo -m owner ! %[1]s %[2]d -j RETURN
-A ISTIO_OUTPUT -m owner %[1]s %[2]d -j RETURN
`, owner, proxyID)
	}
	rules += "-A ISTIO_OUTPUT -d 127.0.0.1/32 -j RETURN\n"
	for _, ips := range excluded {
		rules += "-A ISTIO_OUTPUT -d " + ips + " -j RETURN\n"
	}
	rules += "-A ISTIO_OUTPUT -j ISTIO_REDIRECT\nCOMMIT\n"
	p.mustRead(rules, "iptables-restore")
}

// startRedis starts a real server on the other host.
func (p *pod) startRedis() {
	p.t.Helper()
	server := p.host.start(p.host.command("redis-server", "--bind", gateway, "--protected-mode", "no",
		"--save", "", "--dir", p.t.TempDir()))
	server.Await("Ready to accept connections")
}

// app connects to redis as soon as it is started.
var app = []string{"redis-cli", "-h", redisService, "PING"}

func (p *pod) startApp() *harness.Process {
	p.t.Helper()
	return p.start(p.command(app[0], app[1:]...))
}

func (p *pod) startAppBehindEnvoyWait() *harness.Process {
	p.t.Helper()
	args := append([]string{"--on-timeout", "fail", "--"}, app...)
	return p.start(p.command(harness.Binary(p.t), args...))
}
