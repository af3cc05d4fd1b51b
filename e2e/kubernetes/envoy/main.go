//go:build linux

// Command envoy stands in for Envoy in a container of Istio's sidecar: Istio's own
// agent starts it, asks it and ends it. It has what the agent, the kubelet and the
// redirect see of Envoy, and speaks no xDS.
//
// It binds its ports at once and calls listen(2) when its workers start: 15021
// first, as Envoy does with static listeners. Until then connections are refused.
//
//	15021         readiness: passed on to the agent's 15020
//	15001         outbound: passed on to where the connection was going
//	15006         inbound: passed on to the app, from 127.0.0.6
//	15090         metrics: accepted only
//	the admin's   /ready, /stats, /server_info, /quitquitquit, /drain_listeners
//
// The port of the admin is read from the file that -c names: 15000 with the agent.
//
// The variable STANDIN_WORKERS_START is a duration after which the workers start.
// Without it they start when the admin gets POST /workers_start, which is what
// "envoy workers_start [PORT]" sends to 127.0.0.1, port 15000.
package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "envoy:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 && args[0] == "workers_start" {
		return tellWorkers(args[1:])
	}
	port, err := adminPort(args)
	if err != nil {
		return err
	}
	e := &envoy{}
	if err := e.bind(); err != nil {
		return err
	}
	if after := os.Getenv("STANDIN_WORKERS_START"); after != "" {
		delay, err := time.ParseDuration(after)
		if err != nil {
			return err
		}
		time.AfterFunc(delay, e.startWorkers)
	}
	return http.ListenAndServe("127.0.0.1:"+port, e.admin())
}

// tellWorkers waits for the admin, which the agent may only be starting.
func tellWorkers(args []string) error {
	port := "15000"
	if len(args) > 0 {
		port = args[0]
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		response, err := http.Post("http://127.0.0.1:"+port+"/workers_start", "", nil)
		if err == nil {
			return response.Body.Close()
		}
		if time.Now().After(deadline) {
			return err
		}
	}
}

var adminPattern = regexp.MustCompile(`(?s)\badmin"?:.*?port_value"?: *([0-9]+)`)

// adminPort is read from the bootstrap configuration, which is YAML or JSON.
func adminPort(args []string) (string, error) {
	for i, arg := range args[:max(0, len(args)-1)] {
		if arg != "-c" {
			continue
		}
		config, err := os.ReadFile(args[i+1])
		if err != nil {
			return "", err
		}
		if found := adminPattern.FindSubmatch(config); found != nil {
			return string(found[1]), nil
		}
		return "", fmt.Errorf("%s: no port of an admin", args[i+1])
	}
	return "", errors.New("expected -c FILE")
}

type envoy struct {
	listeners []listener
	started   atomic.Bool
	once      sync.Once
}

// listener is a port that is bound, and what becomes of its connections.
type listener struct {
	fd    int
	serve func(*net.TCPConn) error
}

func (e *envoy) bind() error {
	for _, l := range []struct {
		port  int
		serve func(*net.TCPConn) error
	}{
		{15021, func(c *net.TCPConn) error { return pass(c, netip.MustParseAddrPort("127.0.0.1:15020"), nil) }},
		{15001, func(c *net.TCPConn) error { return passToOriginal(c, nil) }},
		// From this address, or the redirect would send it here again.
		{15006, func(c *net.TCPConn) error { return passToOriginal(c, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 6)}) }},
		{15090, func(*net.TCPConn) error { return nil }},
	} {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
				unix.Bind(fd, &unix.SockaddrInet4{Port: l.port}))
		}
		if err != nil {
			return fmt.Errorf("port %d: %w", l.port, err)
		}
		e.listeners = append(e.listeners, listener{fd, l.serve})
	}
	return nil
}

func (e *envoy) startWorkers() {
	e.once.Do(func() {
		for _, l := range e.listeners {
			if err := l.listen(); err != nil {
				fmt.Fprintln(os.Stderr, "envoy:", err)
				os.Exit(1)
			}
		}
		e.started.Store(true)
		fmt.Fprintln(os.Stderr, "envoy: workers started")
	})
}

func (l listener) listen() error {
	if err := unix.Listen(l.fd, 1024); err != nil {
		return err
	}
	file := os.NewFile(uintptr(l.fd), "listener")
	listening, err := net.FileListener(file)
	if err != nil {
		return err
	}
	go func() {
		for {
			conn, err := listening.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = conn.Close() }()
				if err := l.serve(conn.(*net.TCPConn)); err != nil {
					fmt.Fprintln(os.Stderr, "envoy:", err)
				}
			}()
		}
	}()
	return file.Close()
}

// admin answers as Envoy's does, as far as Istio's agent and readers of Envoy's
// documentation ask: see pilot/cmd/pilot-agent/status in github.com/istio/istio.
func (e *envoy) admin() http.Handler {
	mux := http.NewServeMux()
	state := func() (name string, number, workers int) {
		if e.started.Load() {
			return "LIVE", 0, 1
		}
		return "PRE_INITIALIZING", 2, 0
	}
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		name, number, _ := state()
		if number != 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprintln(w, name)
	})
	mux.HandleFunc("GET /server_info", func(w http.ResponseWriter, _ *http.Request) {
		name, _, _ := state()
		_, _ = fmt.Fprintf(w, "{\"state\": %q}\n", name)
	})
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		_, number, workers := state()
		_, _ = fmt.Fprintf(w, "cluster_manager.cds.update_success: %[2]d\nlistener_manager.lds.update_success: %[2]d\n"+
			"listener_manager.workers_started: %[2]d\nserver.state: %[1]d\n", number, workers)
	})
	mux.HandleFunc("POST /workers_start", func(http.ResponseWriter, *http.Request) { e.startWorkers() })
	mux.HandleFunc("POST /drain_listeners", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "OK\n") })
	mux.HandleFunc("POST /quitquitquit", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "OK\n")
		time.AfterFunc(10*time.Millisecond, func() { os.Exit(0) })
	})
	return mux
}

// passToOriginal passes a connection on to where it was going before the redirect.
func passToOriginal(conn *net.TCPConn, from *net.TCPAddr) error {
	to, err := originalDestination(conn)
	if err != nil {
		return err
	}
	return pass(conn, to, from)
}

func pass(conn *net.TCPConn, to netip.AddrPort, from *net.TCPAddr) error {
	upstream, err := net.DialTCP("tcp4", from, net.TCPAddrFromAddrPort(to))
	if err != nil {
		return err
	}
	defer func() { _ = upstream.Close() }()
	go func() {
		_, _ = io.Copy(upstream, conn)
		_ = upstream.CloseWrite()
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
