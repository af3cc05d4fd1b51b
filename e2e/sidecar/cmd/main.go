// Command cmd is the stand-in sidecar as a process. It takes commands from stdin, one a line, and answers each by a
// line on stdout: "ok", or an error.
//
//	listen   stop refusing connections: answer 503
//	ready    answer 200
//
// It ends with its stdin, or when it is told to quit.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

func main() {
	address := flag.String("listen", ":15020", "`address` of the status port")
	flag.Parse()
	s := sidecar.New(false)
	go func() {
		<-s.Quit()
		os.Exit(0)
	}()
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		if err := obey(s, commands.Text(), *address); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
}

func obey(s *sidecar.Sidecar, command, address string) error {
	switch command {
	case "listen":
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		go func() { _ = s.Serve(l) }()
	case "ready":
		s.SetReady(true)
	default:
		return fmt.Errorf("unknown command %q", command)
	}
	return nil
}
