package probe

import (
	"net/netip"
	"syscall"
)

// knock reports whether a connection is accepted, and closes it. It never waits, so an address that hangs delays
// nothing: on loopback the handshake is over when connect(2) returns, but for a machine under load, whose next knock
// will tell. It is also cheaper than net.Dialer: docs/performance.md has the figures.
func knock(address netip.AddrPort) bool {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = syscall.Close(fd) }()
	_ = syscall.Connect(fd, &syscall.SockaddrInet4{Port: int(address.Port()), Addr: address.Addr().As4()})
	_, err = syscall.Getpeername(fd) // ENOTCONN where it was refused
	return err == nil
}
