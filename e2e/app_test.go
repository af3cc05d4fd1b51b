//go:build linux

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The test binary is an app as well, where there is no other that can do this.
var apps = map[string]func(args []string){
	// acknowledge prints the number of each signal, and ends with stdin.
	"acknowledge": func([]string) {
		signals := make(chan os.Signal, 100)
		signal.Notify(signals)
		go func() {
			_, _ = os.Stdin.Read(make([]byte, 1))
			close(signals)
		}()
		fmt.Println("ready")
		for sig := range signals {
			if sig != syscall.SIGURG { // the Go runtime's own
				fmt.Println(int(sig.(syscall.Signal)))
			}
		}
	},
	// subreaper becomes the command in args as a subreaper.
	"subreaper": func(args []string) {
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			panic(err)
		}
		panic(syscall.Exec(args[0], args, os.Environ()))
	},
}

const appVariable = "E2E_APP"

func TestMain(m *testing.M) {
	if app, ok := apps[os.Getenv(appVariable)]; ok {
		_ = os.Unsetenv(appVariable)
		app(os.Args[1:])
		return
	}
	os.Exit(m.Run())
}

// asApp makes name, one of apps, of a command that is this binary or runs it.
func asApp(cmd *exec.Cmd, name string) *exec.Cmd {
	cmd.Env = append(cmd.Environ(), appVariable+"="+name)
	return cmd
}
