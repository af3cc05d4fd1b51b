//go:build linux

// Command launch runs a command and measures it. It is small and static, so it works
// wherever envoy-wait does. A test cannot measure its own child: Linux counts the memory
// of the parent into the child's peak.
//
//	launch COMMAND...        write a wire.Report to descriptor 3 after the end
//	launch -pid COMMAND...   write the command's PID there first, as a line
//	launch -app              the app: write "started" to descriptor 4, exit 7
//
// The command inherits all descriptors but 3. Exit status 99 is an error of launch. PID
// and Report are lines of JSON.
package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/wire"
)

func main() {
	args := os.Args[1:]
	switch args[0] {
	case "-app":
		_, err := os.NewFile(4, "started").WriteString("started\n")
		check(err)
		os.Exit(7)
	case "-pid":
		check(measure(args[1:], true))
	default:
		check(measure(args, false))
	}
}

func check(err error) {
	if err != nil {
		println("launch:", err.Error())
		os.Exit(99)
	}
}

func measure(command []string, tellPid bool) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	syscall.CloseOnExec(3)
	out := json.NewEncoder(os.NewFile(3, "report"))
	var r wire.Report
	if r.Start, err = wire.Now(); err != nil {
		return err
	}
	r.Pid, err = syscall.ForkExec(path, command, &syscall.ProcAttr{Env: syscall.Environ(), Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err
	}
	if tellPid {
		if err := out.Encode(r.Pid); err != nil {
			return err
		}
	}
	var status syscall.WaitStatus
	var usage syscall.Rusage
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		_, err = syscall.Wait4(r.Pid, &status, 0, &usage)
	}
	if err != nil {
		return err
	}
	if r.End, err = wire.Now(); err != nil {
		return err
	}
	r.CPU = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	r.PeakKB, r.Voluntary = usage.Maxrss, usage.Nvcsw
	r.Code = status.ExitStatus()
	if status.Signaled() {
		r.Signal = int(status.Signal())
		r.Code = 128 + r.Signal
	}
	return out.Encode(r)
}
