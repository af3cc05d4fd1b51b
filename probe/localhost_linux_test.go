package probe

import (
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// side is one address of localhost: how it treats connections.
type side int

const (
	listening side = iota
	refusing
	silent // its queue is full, so that the kernel drops what comes, as a firewall does
)

// localhost binds one port on 127.0.0.1 and ::1. drain makes room in the queue of 127.0.0.1.
func localhost(t *testing.T, four, six side) (port int, drain func()) {
	t.Helper()
	for range 100 { // until a port is free on both
		drain, port = bindSide(t, four, netip.MustParseAddrPort("127.0.0.1:0"))
		if other, _ := bindSide(t, six, netip.AddrPortFrom(netip.IPv6Loopback(), uint16(port))); other != nil {
			return port, drain
		}
	}
	t.Fatal("want a port that is free on 127.0.0.1 and ::1")
	return 0, nil
}

// bindSide returns nil where the address is in use.
func bindSide(t *testing.T, how side, address netip.AddrPort) (drain func(), port int) {
	t.Helper()
	family, to := syscall.AF_INET, syscall.Sockaddr(&syscall.SockaddrInet4{Port: int(address.Port()), Addr: [4]byte{127, 0, 0, 1}})
	if address.Addr().Is6() {
		family, to = syscall.AF_INET6, &syscall.SockaddrInet6{Port: int(address.Port()), Addr: address.Addr().As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no %v here: %v", address.Addr(), err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.Bind(fd, to); err != nil {
		return nil, 0
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	switch name := name.(type) {
	case *syscall.SockaddrInet4:
		port = name.Port
	case *syscall.SockaddrInet6:
		port = name.Port
	}
	if how == refusing {
		return func() {}, port
	}
	backlog := 100
	if how == silent {
		backlog = 0
	}
	if err := syscall.Listen(fd, backlog); err != nil {
		t.Fatal(err)
	}
	if how == silent {
		fill(t, "tcp", netip.AddrPortFrom(address.Addr(), uint16(port)).String())
	}
	return func() {
		for range 2 {
			if conn, _, err := syscall.Accept4(fd, syscall.SOCK_CLOEXEC); err == nil {
				_ = syscall.Close(conn)
			}
		}
	}, port
}

// The one that answers counts, and neither costs the other its time.
func TestBothAddressesOfLocalhost(t *testing.T) {
	const timeout, soon = 700 * time.Millisecond, 200 * time.Millisecond
	for _, test := range []struct {
		name           string
		four, six      side
		requestTimeout time.Duration
		want           Outcome
		least, most    time.Duration
	}{
		{"both refuse", refusing, refusing, timeout, Refused, 0, soon},
		{"127.0.0.1 accepts", listening, silent, timeout, Ready, 0, soon},
		{"::1 accepts", refusing, listening, timeout, Ready, 0, soon},
		{"127.0.0.1 refuses, ::1 is silent", refusing, silent, timeout, Refused, 250 * time.Millisecond, 600 * time.Millisecond},
		{"the same, in less time", refusing, silent, 400 * time.Millisecond, Refused, 200 * time.Millisecond, 390 * time.Millisecond},
		{"127.0.0.1 is silent, ::1 accepts", silent, listening, timeout, Ready, 250 * time.Millisecond, 600 * time.Millisecond},
		{"127.0.0.1 is silent, ::1 refuses", silent, refusing, timeout, NoAnswer, timeout, timeout + soon},
		{"both are silent", silent, silent, timeout, NoAnswer, timeout, timeout + soon},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, scheme := range []string{"tcp", "http"} {
				if scheme == "http" && test.want == Ready {
					continue // nobody answers here
				}
				port, _ := localhost(t, test.four, test.six)
				start := time.Now()
				got := attempt(t, 1, Config{URLs: []string{scheme + "://localhost:" + strconv.Itoa(port)}, RequestTimeout: test.requestTimeout})
				if took := time.Since(start); got.Outcome != test.want || took < test.least || took > test.most {
					t.Errorf("%s: got %v (%v) after %v, want %v after %v to %v", scheme, got.Outcome, got.Cause(), took, test.want, test.least, test.most)
				}
			}
		})
	}
}

// A request that was never sent is sent again within the timeout: here the queue of the sidecar is full at first.
func TestQuitOfASidecarThatAcceptsLate(t *testing.T) {
	t.Parallel()
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = l.Close() }()
			raw, err := l.(syscall.Conn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), 0) })
			fill(t, network, l.Addr().String())
			requests := make(chan string, 10)
			time.AfterFunc(600*time.Millisecond, func() {
				_ = http.Serve(l, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { requests <- r.Method }))
			})
			url := "unix://" + l.Addr().String() + ":/quit"
			if tcp, ok := l.Addr().(*net.TCPAddr); ok {
				url = "http://localhost:" + strconv.Itoa(tcp.Port)
			}
			results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{url}, Timeout: 1500 * time.Millisecond})
			if got := results[url]; err != nil || got.Outcome != Ready || got.Status != http.StatusOK || len(requests) != 1 {
				t.Errorf("got %v, %v, %d requests, want it told by one", got, err, len(requests))
			}
		})
	}
}

// fill connects until the queue of a listener is full.
func fill(t *testing.T, network, address string) {
	t.Helper()
	for range 10 {
		conn, err := net.DialTimeout(network, address, 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("want a queue with an end")
}

// A queue that has room again is found by the next turn of its address, if not by the next SYN of the kernel.
func TestQueueOfLocalhostThatIsFullForAMoment(t *testing.T) {
	t.Parallel()
	port, drain := localhost(t, silent, refusing)
	time.AfterFunc(600*time.Millisecond, drain)
	start := time.Now()
	got := attempt(t, 1, Config{URLs: []string{"tcp://localhost:" + strconv.Itoa(port)}, RequestTimeout: 1500 * time.Millisecond})
	if took := time.Since(start); got.Outcome != Ready || took < 600*time.Millisecond {
		t.Errorf("got %v (%v) after %v, want ready after 600ms", got.Outcome, got.Cause(), took)
	}
}
