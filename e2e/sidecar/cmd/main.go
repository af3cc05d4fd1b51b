//go:build linux

// Command cmd is the stand-in sidecar as a process: in an image, or beside a test.
// Without -commands it goes by time: it refuses, answers 503, then 200. SIGUSR1
// makes it ready before that. SIGTERM drains it, and it exits with 0 after -drain.
// A request to quit makes it exit with 0 at once, unless -survive is given.
//
// With -commands nothing goes by time. Stdin has one command a line, each answered
// by a line on stdout: "ok", or an error. The end of stdin ends the process.
//
//	listen        stop refusing
//	ready [D]     answer 200 from now on, or after D; listen if need be
//	unready       answer 503
//	delay D       delay each answer
//	drain         refuse new connections, answer 503 on those that are open
//	crash         die by SIGKILL; there is no answer
//	counts        the answer is a wire.Counts
//
// The first line on stdout is the address of the status port. With -listen "" that
// is a port on 127.0.0.1 that refuses connections until it listens.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

// process is the sidecar and its ports.
type process struct {
	*sidecar.Sidecar
	listen func() (net.Listener, error)
	envoy  string // the address that Envoy listens at once it is ready, or ""

	mu        sync.Mutex // guards what follows
	listening bool
	readyAt   time.Duration
}

func main() {
	address := flag.String("listen", ":15020", "`address` of the status port; empty: any free port")
	envoy := flag.String("envoy", "", "`address` of Envoy's own port, such as :15021, which opens when it is ready")
	refused := flag.Duration("refused", 300*time.Millisecond, "how long connections are refused")
	unready := flag.Duration("unready", 4*time.Second, "how long after that the answer is 503; negative: until SIGUSR1")
	drain := flag.Duration("drain", 5*time.Second, "how long open connections are answered after SIGTERM")
	survive := flag.Bool("survive", false, "only count the requests to quit")
	commands := flag.Bool("commands", false, "take commands from stdin")
	flag.Parse()

	p := &process{Sidecar: sidecar.New(false), envoy: *envoy}
	p.Survives = *survive
	p.OnUnready = func() {
		fmt.Fprintln(os.Stderr, "sidecar: warn Envoy proxy is NOT ready: config not fully received from XDS server")
	}
	p.listen = func() (net.Listener, error) { return net.Listen("tcp", *address) }
	if *address == "" {
		port, err := sidecar.Bind(0)
		check(err)
		*address, p.listen = port.Address, port.Listen
	}
	go p.signals(*drain)
	if *commands {
		fmt.Println(*address)
		p.obey()
		return
	}
	p.goByTime(*refused, *unready)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

// signals sees to signals, and to the request to quit.
func (p *process) signals(drain time.Duration) {
	received := make(chan os.Signal, 1)
	signal.Notify(received, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	for {
		select {
		case <-p.Quit():
			os.Exit(0)
		case sig := <-received:
			if sig == syscall.SIGUSR1 {
				check(p.becomeReady())
				continue
			}
			p.Drain()
			time.AfterFunc(drain, func() { os.Exit(0) })
		}
	}
}

func (p *process) goByTime(refused, unready time.Duration) {
	time.Sleep(refused)
	check(p.openStatus())
	if unready >= 0 {
		time.Sleep(unready)
		check(p.becomeReady())
	}
	select {}
}

// openStatus lets the status port answer.
func (p *process) openStatus() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listening {
		return nil
	}
	l, err := p.listen()
	if err != nil {
		return err
	}
	p.listening = true
	fmt.Fprintln(os.Stderr, "sidecar: listening on", l.Addr())
	go func() { _ = p.Serve(l) }()
	return nil
}

// becomeReady takes the time just before: a lag may come out some microseconds too
// long, and never too short. Envoy's port opens first, as in Istio.
func (p *process) becomeReady() error {
	p.mu.Lock()
	first := p.readyAt == 0
	var err error
	if first {
		p.readyAt, err = wire.Now()
	}
	p.mu.Unlock()
	if first && p.envoy != "" && err == nil {
		var l net.Listener
		if l, err = net.Listen("tcp", p.envoy); err == nil {
			go func() { _ = p.Serve(l) }()
		}
	}
	p.SetReady(true)
	fmt.Fprintln(os.Stderr, "sidecar: info Envoy proxy is ready")
	return errors.Join(err, p.openStatus())
}

// obey answers the commands on stdin.
func (p *process) obey() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := p.command(strings.Fields(lines.Text())); err != nil {
			fmt.Println(err)
		}
	}
}

func (p *process) command(words []string) (err error) {
	var delay time.Duration
	if len(words) == 2 {
		if delay, err = time.ParseDuration(words[1]); err != nil {
			return err
		}
	}
	switch strings.Join(words[:min(1, len(words))], "") {
	case "listen":
		err = p.openStatus()
	case "ready":
		if delay > 0 {
			time.AfterFunc(delay, func() { check(p.becomeReady()) })
		} else {
			err = p.becomeReady()
		}
	case "unready":
		p.SetReady(false)
	case "delay":
		p.SetDelay(delay)
	case "drain":
		p.Drain()
	case "crash":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "counts":
		p.mu.Lock()
		defer p.mu.Unlock()
		counts := wire.Counts{Ready: p.readyAt, Connections: p.Connections(), Requests: p.Requests(), Quits: p.Quits()}
		return json.NewEncoder(os.Stdout).Encode(counts)
	default:
		err = fmt.Errorf("unknown command %q", words)
	}
	if err == nil {
		fmt.Println("ok")
	}
	return err
}
