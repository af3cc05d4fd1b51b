//go:build linux

package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// bareImage is a root directory with the binary alone, like an image from scratch: no
// /etc, no shell.
func bareImage(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	harness.WriteFile(t, root+"/envoy-wait", harness.ReadFile(t, harness.Binary(t)), 0o755)
	return root
}

// localhost needs no resolver. The sidecar may have one address family only.
func TestLocalhostInABareImage(t *testing.T) {
	root := bareImage(t)
	for _, test := range []struct {
		name, listen string
		setUp        string
	}{
		{name: "127.0.0.1", listen: "127.0.0.1:15020"},
		{name: "::1", listen: "[::1]:15020"},
		{name: "IPv6 turned off", listen: "127.0.0.1:15020", setUp: "/proc/sys/net/ipv6/conf/all/disable_ipv6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			harness.InNetwork(t, func() {
				if test.setUp != "" {
					if err := os.WriteFile(test.setUp, []byte("1"), 0); err != nil {
						t.Error(err)
					}
				}
				// Go's resolver asks there where there is no /etc/resolv.conf.
				queries := countPackets(t, "127.0.0.1:53")
				l, err := net.Listen("tcp", test.listen)
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = l.Close() }()
				a := sidecar.New(true)
				go func() { _ = a.Serve(l) }()
				cmd := exec.Command("/envoy-wait", "--timeout", "20s")
				cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
				cmd.Env, cmd.Dir = []string{}, "/"
				harness.Start(t, cmd).Result().WantCode(t, 0)
				harness.Want(t, "probes", a.Requests(), 1)
				harness.Want(t, "questions to a resolver", queries.Load(), 0)
			})
		})
	}
}

func countPackets(t *testing.T, address string) *atomic.Int32 {
	n := &atomic.Int32{}
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Error(err)
		return n
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for {
			if _, _, err := conn.ReadFrom(make([]byte, 512)); err != nil {
				return
			}
			n.Add(1)
		}
	}()
	return n
}

// The variables of a proxy are not read, whatever the host is.
func TestProxyVariablesChangeNothing(t *testing.T) {
	harness.InNetwork(t, func() {
		proxy, err := net.Listen("tcp", "127.0.0.1:3128")
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = proxy.Close() }()
		connections := &atomic.Int32{}
		go func() {
			for {
				conn, err := proxy.Accept()
				if err != nil {
					return
				}
				connections.Add(1)
				_ = conn.Close()
			}
		}()
		l, err := net.Listen("tcp", ":15020")
		if err != nil {
			t.Error(err)
			return
		}
		// A request to a proxy has the whole URL in its first line.
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.RequestURI != sidecar.Path {
					w.WriteHeader(http.StatusBadRequest)
				}
			}))
		}()
		defer func() { _ = l.Close() }()
		for _, host := range []string{"localhost", "127.0.0.1", "10.1.2.3"} {
			cmd := envoyWait(t, "--url", "http://"+host+":15020"+sidecar.Path, "--timeout", "5s")
			for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"} {
				cmd.Env = append(cmd.Env, name+"=http://127.0.0.1:3128")
			}
			harness.Start(t, cmd).Result().WantCode(t, 0)
		}
		harness.Want(t, "connections to the proxy", connections.Load(), 0)
	})
}

// All endpoints must be ready before one deadline. Each is asked until its first 200.
func TestSeveralEndpoints(t *testing.T) {
	first, second := harness.NewPort(t), harness.NewPort(t)
	a := first.Sidecar(true)
	cmd := envoyWait(t, "--", "echo", "started")
	cmd.Env = harness.Env("ENVOY_WAIT_URL=" + first.URL() + "," + second.URL())
	p := harness.Start(t, cmd)
	p.Await(second.URL() + ": connection refused")
	b := second.Sidecar(false)
	p.Await("status 503")
	a.SetReady(false)
	b.SetReady(true)
	p.Result().Want(t, 0, "started\n")
	harness.Want(t, "probes of the first", a.Requests(), 1)
	run(t, "--url", first.URL(), "--url", harness.NewPort(t).URL(), "--timeout", "300ms").
		WantCode(t, 124).Says(t, "", "status 503; http://", "connection refused; hint: ")
}
