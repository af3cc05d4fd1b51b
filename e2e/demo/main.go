// Command demo shows the main job on this machine: a sidecar that takes three
// seconds, envoy-wait, and an app that must not start before.
//
//	go run ./e2e/demo bin/envoy-wait
package main

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: demo BINARY")
		os.Exit(2)
	}
	if err := demo(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(binary string) error {
	address := freeAddress()
	url := "http://" + address + sidecar.Path
	start := time.Now()
	go play(address)

	app := []string{"sh", "-c", `echo "app:        started as process $$, its parent is $PPID"`}
	cmd := exec.Command(binary, append([]string{"--log-format", "text", "--url", url, "--"}, app...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Printf("demo:       envoy-wait is process %d, its parent is %d\n", cmd.Process.Pid, os.Getpid())
	err := cmd.Wait()
	if err == nil && time.Since(start) < 3*time.Second {
		err = fmt.Errorf("the app was started too early")
	}
	return err
}

// freeAddress is the status port of Istio's agent, or another where that is taken.
func freeAddress() string {
	for _, address := range []string{"localhost:15020", "127.0.0.1:0"} {
		if l, err := net.Listen("tcp", address); err == nil {
			_ = l.Close()
			return l.Addr().String()
		}
	}
	return "localhost:15020"
}

// play refuses for one second, answers 503 for two, and then 200.
func play(address string) {
	say("not listening yet: connections are refused")
	time.Sleep(time.Second)
	l, err := net.Listen("tcp", address)
	if err != nil {
		say(err.Error())
		return
	}
	say("listening, without a configuration: status 503")
	s := sidecar.New(false)
	time.AfterFunc(2*time.Second, func() {
		say("ready: status 200")
		s.SetReady(true)
	})
	_ = s.Serve(l)
}

// say writes over envoy-wait's live line, where there may be one.
func say(what string) {
	rest := ""
	if isatty.IsTerminal(os.Stdout.Fd()) {
		rest = "\x1b[K"
	}
	fmt.Printf("sidecar:    %s%s\n", what, rest)
}
