package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Port is a port on 127.0.0.1 that is bound. It refuses connections while nothing
// listens, and no other process can take it.
type Port struct {
	fd      int
	Address string
}

// Bind takes that port without listening, or any port for 0.
func Bind(port int) (*Port, error) {
	syscall.ForkLock.RLock() // no child may inherit it: macOS has no SOCK_CLOEXEC
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	p := &Port{fd: fd}
	err = errors.Join(share(uintptr(fd)), unix.Bind(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}))
	if err != nil {
		p.Close()
		return nil, err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		p.Close()
		return nil, err
	}
	p.Address = fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	return p, nil
}

// share lets a listener use the port while the first socket keeps it.
func share(fd uintptr) error {
	return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

// URL is the readiness URL of Istio's agent on this port.
func (p *Port) URL() string { return "http://" + p.Address + Path }

// QuitURL is where that agent is told to quit.
func (p *Port) QuitURL() string { return "http://" + p.Address + QuitPath }

// Listen accepts connections from now on. When the listener is closed the port
// refuses again, and Listen may be called again.
func (p *Port) Listen() (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		return errors.Join(raw.Control(func(fd uintptr) { err = share(fd) }), err)
	}}
	return config.Listen(context.Background(), "tcp4", p.Address)
}

// Open accepts connections from now on, on the socket that took the port, as Envoy
// does. It refuses again after Close only.
func (p *Port) Open() (net.Listener, error) {
	if err := unix.Listen(p.fd, unix.SOMAXCONN); err != nil {
		return nil, err
	}
	fd, err := unix.FcntlInt(uintptr(p.fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), p.Address)
	defer func() { _ = file.Close() }() // FileListener has one of its own
	return net.FileListener(file)
}

// Close gives up the port. Further calls do nothing.
func (p *Port) Close() {
	if p.fd >= 0 {
		_ = unix.Close(p.fd)
		p.fd = -1
	}
}
