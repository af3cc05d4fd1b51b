//go:build linux

package machine

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	standin "github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// Sidecar is a process that does what envoy-wait sees of Istio's sidecar. It
// listens nowhere until it is told to.
type Sidecar struct {
	*harness.Process
	stdin io.WriteCloser
}

// StartSidecar starts the process; it does not listen yet.
func (m *Machine) StartSidecar() *Sidecar {
	m.T.Helper()
	self, err := os.Executable()
	if err != nil {
		m.T.Fatal(err)
	}
	cmd := harness.Role(m.Command(self), "sidecar")
	stdin := harness.Stdin(m.T, cmd)
	return &Sidecar{Process: m.Start(cmd), stdin: stdin}
}

// OpenStatus lets the agent's status port answer, by 503.
func (s *Sidecar) OpenStatus() { s.tell("status") }

// BecomeReady makes the status 200.
func (s *Sidecar) BecomeReady() { s.tell("ready") }

func (s *Sidecar) tell(command string) {
	_, _ = fmt.Fprintln(s.stdin, command)
	s.Await("sidecar: " + command)
}

// sidecarProcess takes commands from stdin and ends with it.
func sidecarProcess() error {
	status := standin.New(false)
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		switch command := commands.Text(); command {
		case "status":
			l, err := net.Listen("tcp", ":15020")
			if err != nil {
				return err
			}
			go func() { _ = status.Serve(l) }()
		case "ready":
			status.SetReady(true)
		}
		fmt.Println("sidecar:", commands.Text())
	}
	return commands.Err()
}
