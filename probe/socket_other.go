//go:build !linux

package probe

import "syscall"

var (
	knock   func(port uint16) bool                                 // nil: there are no gates
	control func(network, address string, c syscall.RawConn) error // nil: none
)
