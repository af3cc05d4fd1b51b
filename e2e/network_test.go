//go:build linux

package e2e

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// inNetwork runs f on a thread with a network namespace of its own: loopback
// alone, and the address 10.1.2.3. What f listens on or starts is in there.
func inNetwork(t *testing.T, f func()) {
	t.Helper()
	harness.NeedRoot(t)
	harness.NeedTools(t, "ip")
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		for _, args := range []string{"link set lo up", "addr add 10.1.2.3/32 dev lo"} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Errorf("ip %s: %v: %s", args, err, out)
				return
			}
		}
		f()
	}()
	<-done
}

// bareImage is a root directory with the binary and nothing else: an image made
// from scratch, without /etc and without a shell.
func bareImage(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	content, err := os.ReadFile(harness.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "envoy-wait"), content, 0o755); err != nil {
		t.Fatal(err)
	}
	return root
}

// localhost is known without a resolver, on one address family or the other.
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
			inNetwork(t, func() {
				if test.setUp != "" {
					if err := os.WriteFile(test.setUp, []byte("1"), 0); err != nil {
						t.Error(err)
					}
				}
				// Where Go asks without /etc/resolv.conf.
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
				if r := harness.Start(t, cmd).Result(); r.Code != 0 || a.Requests() != 1 {
					t.Errorf("%d requests, %+v", a.Requests(), r)
				}
				if n := queries.Load(); n != 0 {
					t.Errorf("a resolver was asked %d times", n)
				}
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

// A sidecar is never behind a proxy, whatever the host is called.
func TestProxyVariablesChangeNothing(t *testing.T) {
	inNetwork(t, func() {
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
		// A request that is meant for a proxy has the whole URL in its first line.
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
			if r := harness.Start(t, cmd).Result(); r.Code != 0 {
				t.Errorf("%s: %+v", host, r)
			}
		}
		if n := connections.Load(); n != 0 {
			t.Errorf("the proxy saw %d connections", n)
		}
	})
}

// All must be ready, under one deadline; each is asked until its first 200.
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
	if r := p.Result(); r.Code != 0 || r.Stdout != "started\n" || a.Requests() != 1 {
		t.Errorf("%d requests to the first: %+v", a.Requests(), r)
	}
	r := run(t, "--url", first.URL(), "--url", harness.NewPort(t).URL(), "--timeout", "300ms")
	if last := message(t, r.Stderr); r.Code != 124 || !strings.Contains(last, "status 503; http://") || !strings.Contains(last, "connection refused; hint: ") {
		t.Errorf("%+v", r)
	}
}
