//go:build linux

package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Detached starts cmd in a session of its own, so without a terminal.
func Detached(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd
}

// AsPID1 starts cmd as PID 1 of a PID namespace of its own.
func AsPID1(cmd *exec.Cmd) *exec.Cmd {
	cmd = Detached(cmd)
	cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWPID
	return cmd
}

// InMounts returns the words that start a command in a mount namespace of its own, after a script for sh.
func InMounts(script string) []string {
	return []string{"unshare", "--mount", "--propagation=private", "sh", "-ec", script + `; exec "$@"`, "sh"}
}

// Children returns the PIDs of the children of a process, also of zombies.
func Children(pid int) (pids []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
