//go:build linux

package netns

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	standin "github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// proxyID is the user and the group of Istio's sidecar, whose own connections
// are not redirected.
const proxyID = 1337

// sidecar is a process that does what envoy-wait sees of Istio's sidecar. It
// listens nowhere until it is told to.
type sidecar struct {
	*harness.Process
	stdin io.WriteCloser
}

// startSidecar starts the process; it does not listen yet.
func (m *machine) startSidecar() *sidecar {
	m.t.Helper()
	self, err := os.Executable()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := harness.Role(m.command(self, redisService+":6379", redis), "sidecar")
	stdin := harness.Stdin(m.t, cmd)
	return &sidecar{Process: m.start(cmd), stdin: stdin}
}

// openStatus lets the agent's status port answer, by 503.
func (s *sidecar) openStatus() { s.tell("status") }

// openOutbound lets Envoy listen; from then on the status is 200.
func (s *sidecar) openOutbound() { s.tell("outbound") }

func (s *sidecar) tell(command string) {
	_, _ = fmt.Fprintln(s.stdin, command)
	s.Await(command + " is open")
}

// end returns when nothing listens any more.
func (s *sidecar) end() harness.Result {
	_ = s.stdin.Close()
	return s.Result()
}

// sidecarProcess takes commands from stdin and ends with it. Its argument pairs
// are addresses of Services, and of the endpoints behind them.
func sidecarProcess() error {
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(proxyID), syscall.Setuid(proxyID)); err != nil {
		return err
	}
	services := map[string]string{}
	for i := 1; i+1 < len(os.Args); i += 2 {
		services[os.Args[i]] = os.Args[i+1]
	}
	status := standin.New(false)
	commands := bufio.NewScanner(os.Stdin)
	var err error
	for commands.Scan() {
		switch command := commands.Text(); command {
		case "status":
			err = listen(":15020", status.Serve)
		case "outbound":
			// Envoy's own port first, as in Istio.
			err = errors.Join(listen(":15021", status.Serve), listen("127.0.0.1:15001", forward(services)))
			status.SetReady(true)
		}
		if err != nil {
			return err
		}
		fmt.Println(commands.Text(), "is open")
	}
	return commands.Err()
}

func listen(address string, serve func(net.Listener) error) error {
	l, err := net.Listen("tcp", address)
	if err == nil {
		go func() { _ = serve(l) }()
	}
	return err
}

// forward is Envoy's outbound listener as far as TCP is concerned: where a
// connection was going before the redirect says which endpoint is meant.
func forward(services map[string]string) func(net.Listener) error {
	return func(l net.Listener) error {
		for {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if err := connect(conn.(*net.TCPConn), services); err != nil {
					fmt.Fprintln(os.Stderr, "sidecar:", err)
				}
			}()
		}
	}
}

func connect(conn *net.TCPConn, services map[string]string) error {
	to, err := originalDestination(conn)
	if err != nil {
		return err
	}
	endpoint, ok := services[to.String()]
	if !ok {
		return fmt.Errorf("no Service at %v", to)
	}
	upstream, err := net.Dial("tcp", endpoint)
	if err != nil {
		return err
	}
	defer func() { _ = upstream.Close() }()
	go func() {
		_, _ = io.Copy(upstream, conn)
		_ = upstream.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(conn, upstream)
	return err
}

// originalDestination is what Envoy's original_dst listener filter asks the
// kernel for: a sockaddr_in. An IPv6Mreq happens to be large enough for one.
func originalDestination(conn *net.TCPConn) (netip.AddrPort, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return netip.AddrPort{}, err
	}
	var address *unix.IPv6Mreq
	controlErr := raw.Control(func(fd uintptr) {
		address, err = unix.GetsockoptIPv6Mreq(int(fd), unix.IPPROTO_IP, unix.SO_ORIGINAL_DST)
	})
	if err := errors.Join(controlErr, err); err != nil {
		return netip.AddrPort{}, err
	}
	b := address.Multiaddr
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}
