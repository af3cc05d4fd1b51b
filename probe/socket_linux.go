package probe

import "syscall"

// knock reports whether 127.0.0.1 or ::1 accepts a connection to port. An IPv6-only Pod has its gate on ::1 alone.
func knock(port uint16) bool {
	return isAccepted(syscall.AF_INET, &syscall.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}) ||
		isAccepted(syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(port), Addr: [16]byte{15: 1}})
}

// isAccepted reports whether a connection is accepted, and closes it. It never waits: a port that hangs delays nothing.
// On loopback the handshake is over at once. On a machine under load the next knock will tell.
func isAccepted(family int, address syscall.Sockaddr) bool {
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = syscall.Close(fd) }()
	_ = leaveThePort(fd)
	_ = syscall.Connect(fd, address)
	_, err = syscall.Getpeername(fd) // ENOTCONN where it was refused
	return err == nil
}

// control is net.Dialer's Control.
func control(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = leaveThePort(int(fd)) })
}

// leaveThePort lets others bind the socket's own port after the connection. The kernel may choose the port to connect
// to: TCP then connects the socket to itself, and would keep the sidecar from binding its port for 60 s (TIME-WAIT).
func leaveThePort(fd int) error {
	return syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
}
