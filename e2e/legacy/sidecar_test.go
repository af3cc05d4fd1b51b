//go:build linux

package legacy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	standin "github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

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
	cmd := harness.Role(m.command(self), "sidecar")
	stdin := harness.Stdin(m.t, cmd)
	return &sidecar{Process: m.start(cmd), stdin: stdin}
}

// openStatus lets the agent's status port answer, by 503.
func (s *sidecar) openStatus() { s.tell("status") }

// becomeReady makes the status 200.
func (s *sidecar) becomeReady() { s.tell("ready") }

func (s *sidecar) tell(command string) {
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
