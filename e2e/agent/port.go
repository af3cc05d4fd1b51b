//go:build linux

package agent

import (
	"fmt"
	"net"
	"os"
	"syscall"
)

// Port is a TCP port on 127.0.0.1 that is ours, and refuses connections until
// Listen: as a sidecar's does before it is started.
type Port struct {
	fd      int
	Address string
}

// Bind takes a port without listening.
func Bind() (*Port, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	p := &Port{fd: fd}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		p.Close()
		return nil, err
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		p.Close()
		return nil, err
	}
	p.Address = fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	return p, nil
}

// URL is that of Istio's agent on this port.
func (p *Port) URL() string { return "http://" + p.Address + Path }

// QuitURL is where that agent is told to quit.
func (p *Port) QuitURL() string { return "http://" + p.Address + QuitPath }

// Listen accepts connections from now on. The listener is the caller's, and the
// port's descriptor is gone.
func (p *Port) Listen() (net.Listener, error) {
	if err := syscall.Listen(p.fd, syscall.SOMAXCONN); err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(p.fd), "listener")
	p.fd = -1
	defer func() { _ = file.Close() }()
	return net.FileListener(file)
}

// Close gives up a port that does not listen yet, and is harmless afterwards.
func (p *Port) Close() {
	if p.fd >= 0 {
		_ = syscall.Close(p.fd)
		p.fd = -1
	}
}
