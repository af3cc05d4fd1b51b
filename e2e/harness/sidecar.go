//go:build linux

package harness

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// SidecarProcess is a process of e2e/sidecar/cmd.
type SidecarProcess struct {
	*Process
	commands io.Writer
	answers  *bufio.Reader
}

// StartSidecar starts cmd, which runs SidecarProgram. It refuses connections until it is told to listen.
func StartSidecar(t testing.TB, cmd *exec.Cmd) *SidecarProcess {
	t.Helper()
	commands := Stdin(t, cmd)
	answers, w := Pipe(t)
	cmd.Stdout = w
	s := &SidecarProcess{Process: Start(t, cmd), commands: commands, answers: bufio.NewReader(answers)}
	_ = w.Close()
	return s
}

// Listen makes it answer, by 503.
func (s *SidecarProcess) Listen() { s.t.Helper(); s.tell("listen") }

// BecomeReady makes it answer by 200.
func (s *SidecarProcess) BecomeReady() { s.t.Helper(); s.tell("ready") }

func (s *SidecarProcess) tell(command string) {
	s.t.Helper()
	if _, err := io.WriteString(s.commands, command+"\n"); err != nil {
		s.t.Fatal(err)
	}
	answer, err := s.answers.ReadString('\n')
	if err != nil {
		s.t.Fatalf("the sidecar's answer to %s: %v", command, err)
	}
	Want(s.t, "the sidecar's answer to "+command, strings.TrimSpace(answer), "ok")
}
