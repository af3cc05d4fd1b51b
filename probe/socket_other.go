//go:build !linux

package probe

import (
	"net/netip"
	"syscall"
)

var (
	knock   func(netip.AddrPort) bool                              // nil: there are no gates
	control func(network, address string, c syscall.RawConn) error // nil: none
)
