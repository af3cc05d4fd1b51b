// Command sidecar is a stand-in for a sidecar container: its status port refuses
// connections, then answers 503, then 200. SIGTERM ends it with 0.
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
	unready := flag.Duration("unready", 4*time.Second, "how long after that the answer is 503; negative: for ever")
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
	time.Sleep(refused)
	a := &agent.Agent{OnUnready: func() {
		fmt.Fprintln(os.Stderr, "sidecar: warn Envoy proxy is NOT ready: config not fully received from XDS server")
	}}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "sidecar: listening on", l.Addr())
	if unready >= 0 {
		time.AfterFunc(unready, func() {
			fmt.Fprintln(os.Stderr, "sidecar: info Envoy proxy is ready")
			a.SetReady(true)
		})
	}
	return a.Serve(l)
}
