//go:build linux

package e2e

import (
	"net"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Neither address of localhost may hide what the other says.
func TestAddressesOfLocalhost(t *testing.T) {
	for _, test := range []struct {
		name, setUp string
		listen      string // where a sidecar is ready, or ""
		code        int    // of --once
		says        string
	}{
		{"nobody listens", "true", "", 1, "connection refused"},
		{"127.0.0.1 is refused, a firewall drops ::1", "ip6tables -I INPUT -d ::1 -p tcp -j DROP", "", 1, "connection refused"},
		{"127.0.0.1 is missing, ::1 is refused", "ip addr del 127.0.0.1/8 dev lo", "", 1, "connection refused"},
		{"127.0.0.1 is refused, IPv6 is turned off", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6", "", 1, "connection refused"},
		{"a firewall drops 127.0.0.1, ::1 is refused", "iptables -I INPUT -d 127.0.0.1 -p tcp -j DROP", "", 1, "no answer in time"},
		{"a firewall drops 127.0.0.1, ::1 is ready", "iptables -I INPUT -d 127.0.0.1 -p tcp -j DROP", "[::1]:15020", 0, ""},
		{"127.0.0.1 is missing, ::1 is ready", "ip addr del 127.0.0.1/8 dev lo", "[::1]:15020", 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			harness.NeedRoot(t)
			harness.NeedTools(t, "ip", strings.Fields(test.setUp)[0])
			harness.InNetwork(t, func() {
				harness.Must(t, "sh", "-c", test.setUp)
				if test.listen != "" {
					l, err := net.Listen("tcp", test.listen)
					if err != nil {
						t.Error(err)
						return
					}
					defer func() { _ = l.Close() }()
					s := sidecar.New(true)
					go func() { _ = s.Serve(l) }()
				}
				harness.Start(t, envoyWait(t, "--once")).Result().WantCode(t, test.code).Says(t, "", test.says)
				if test.says != "connection refused" {
					return
				}
				r := harness.Start(t, envoyWait(t, "--timeout", "30s", "--absent-after", "1s", "--", "echo", "app")).Result()
				r.Want(t, 0, "app\n").Says(t, "", "connection refused")
				harness.WantIn(t, r.Stderr, "no sidecar")
			})
		})
	}
}
