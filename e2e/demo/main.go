// Command demo shows the main job on this machine: a sidecar that takes three seconds, an app that is refused at its
// start, and the same app behind envoy-wait.
//
//	bin/demo ENVOY-WAIT SIDECAR
//	bin/demo app ADDRESS          # the app: it connects to ADDRESS, or fails
//
// SIDECAR is the program of e2e/sidecar/cmd.
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

func main() {
	var err error
	switch {
	case len(os.Args) != 3:
		fmt.Fprintln(os.Stderr, "usage: demo ENVOY-WAIT SIDECAR")
		os.Exit(2)
	case os.Args[1] == "app":
		err = app(os.Args[2])
	default:
		err = demo(os.Args[1], os.Args[2])
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%-11s %v\n", filepath.Base(os.Args[1])+":", err)
		os.Exit(1)
	}
}

// app is what many apps do first: it connects, and gives up if that fails.
func app(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	fmt.Printf("app:        connected; this is process %d, its parent is %d\n", os.Getpid(), os.Getppid())
	return conn.Close()
}

func demo(envoyWait, standIn string) error {
	address, self := freeAddress(), os.Args[0]
	alone := command(self, "app", address)
	fmt.Println("demo:       the app alone, before its sidecar listens")
	if err := alone.Run(); err == nil {
		return errors.New("the app was not refused")
	}
	fmt.Println("demo:       exit status", alone.ProcessState.ExitCode())

	agent := exec.Command(standIn, "-listen", address)
	commands, err := agent.StdinPipe() // its end is the agent's end
	if err != nil {
		return err
	}
	if err := agent.Start(); err != nil {
		return err
	}
	say("not listening yet: connections are refused")
	start := time.Now()
	behind := command(envoyWait, "--log-format", "text", "--url", "http://"+address+sidecar.Path, "--", self, "app", address)
	if err := behind.Start(); err != nil {
		return err
	}
	fmt.Printf("demo:       the app behind envoy-wait, which is process %d; its parent is %d\n", behind.Process.Pid, os.Getpid())
	go play(commands)
	err = behind.Wait()
	if err == nil && time.Since(start) < 3*time.Second {
		err = errors.New("the app was started too early")
	}
	return err
}

func command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
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
