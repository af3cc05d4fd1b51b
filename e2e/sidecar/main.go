// Command sidecar is a stand-in for a sidecar container: its status port refuses
// connections, then answers 503, then 200, after a time or at SIGUSR1. SIGTERM
// ends it with 0.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/agent"
)

func main() {
	address := flag.String("listen", ":15020", "`address` of the status port")
	refused := flag.Duration("refused", 300*time.Millisecond, "how long connections are refused")
	unready := flag.Duration("unready", 4*time.Second, "how long after that the answer is 503; negative: until SIGUSR1")
	flag.Parse()

	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		os.Exit(0)
	}()

	if err := serve(*address, *refused, *unready); err != nil {
		fmt.Fprintln(os.Stderr, "sidecar:", err)
		os.Exit(1)
	}
}

func serve(address string, refused, unready time.Duration) error {
	usr1 := make(chan os.Signal, 1)
	signal.Notify(usr1, syscall.SIGUSR1)
	time.Sleep(refused)
	a := &agent.Agent{OnUnready: func() {
		fmt.Fprintln(os.Stderr, "sidecar: warn Envoy proxy is NOT ready: config not fully received from XDS server")
	}}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "sidecar: listening on", l.Addr())
	go func() {
		var after <-chan time.Time
		if unready >= 0 {
			after = time.After(unready)
		}
		select {
		case <-after:
		case <-usr1:
		}
		fmt.Fprintln(os.Stderr, "sidecar: info Envoy proxy is ready")
		a.SetReady(true)
	}()
	return a.Serve(l)
}
