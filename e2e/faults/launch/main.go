//go:build linux

// Command launch starts envoy-wait in the tests of faults, and is the app that
// it becomes. It is small, static and without a runtime library to load, so that
// it works wherever envoy-wait does, and its memory is less than envoy-wait's.
//
//	launch measure COMMAND...   run it as a child, report to descriptor 4
//	launch seccomp COMMAND...   become it under a filter as containers have
//	launch app                  the app: "started" to descriptor 3, exit 7
package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"time"
)

func main() {
	switch command := os.Args[2:]; os.Args[1] {
	case "measure":
		check(measure(command))
	case "seccomp":
		check(denyByDefault())
		path, err := exec.LookPath(command[0])
		check(err)
		check(syscall.Exec(path, command, os.Environ()))
	case "app":
		_, err := os.NewFile(3, "started").WriteString("started\n")
		check(err)
		os.Exit(7)
	}
}

func check(err error) {
	if err != nil {
		println("launch:", err.Error())
		os.Exit(99)
	}
}

// measure runs a command with our descriptors 0 to 3. It is its parent since
// ru_maxrss of a child of the test would hold the test's own memory: a child
// shares it up to execve(2).
func measure(command []string) error {
	path, err := exec.LookPath(command[0])
	if err != nil {
		return err
	}
	syscall.CloseOnExec(4)
	report := json.NewEncoder(os.NewFile(4, "report"))
	// What was closed at our own start is open now, by Go: it is the wrapper
	// that closes what shall be closed.
	files := []*os.File{os.Stdin, os.Stdout, os.Stderr, os.NewFile(3, "started")}
	start := time.Now()
	child, err := os.StartProcess(path, command, &os.ProcAttr{Files: files})
	if err != nil {
		return err
	}
	if err := report.Encode(child.Pid); err != nil {
		return err
	}
	state, err := child.Wait()
	if err != nil {
		return err
	}
	took := time.Since(start)
	status := state.Sys().(syscall.WaitStatus)
	return report.Encode(map[string]any{
		"took": took, "code": status.ExitStatus(), "signaled": status.Signaled(), "signal": status.Signal(),
		"maxrss": state.SysUsage().(*syscall.Rusage).Maxrss,
	})
}
