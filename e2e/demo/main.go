// Command demo shows the main job on this machine: a sidecar that takes three
// seconds, envoy-wait, and an app that must not start before.
//
//	go run ./e2e/demo ENVOY-WAIT SIDECAR
//
// SIDECAR is the program of e2e/sidecar/cmd.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: demo ENVOY-WAIT SIDECAR")
		os.Exit(2)
	}
	if err := demo(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(envoyWait, standIn string) error {
	address := freeAddress()
	agent := exec.Command(standIn, "-listen", address)
	commands, err := agent.StdinPipe() // its end is the agent's end
	if err != nil {
		return err
	}
	if err := agent.Start(); err != nil {
		return err
	}
	start := time.Now()
	go play(commands)

	app := []string{"sh", "-c", `echo "app:        started as process $$, its parent is $PPID"`}
	cmd := exec.Command(envoyWait, append([]string{"--log-format", "text", "--url", "http://" + address + sidecar.Path, "--"}, app...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	fmt.Printf("demo:       envoy-wait is process %d, its parent is %d\n", cmd.Process.Pid, os.Getpid())
	err = cmd.Wait()
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

// play lets the agent refuse for one second, answer 503 for two, and then 200.
func play(commands io.Writer) {
	say("not listening yet: connections are refused")
	time.Sleep(time.Second)
	say("listening, without a configuration: status 503")
	_, _ = io.WriteString(commands, "listen\n")
	time.Sleep(2 * time.Second)
	say("ready: status 200")
	_, _ = io.WriteString(commands, "ready\n")
}

// say writes over envoy-wait's live line, where there may be one.
func say(what string) {
	rest := ""
	if isatty.IsTerminal(os.Stdout.Fd()) {
		rest = "\x1b[K"
	}
	fmt.Printf("sidecar:    %s%s\n", what, rest)
}
