//go:build linux

// Command execs is the least that a static Go program in front of an app does:
// it becomes the app at once. The bench measures envoy-wait against it.
package main

import (
	"os"
	"os/exec"
	"syscall"
)

func main() {
	path, err := exec.LookPath(os.Args[1])
	if err == nil {
		err = syscall.Exec(path, os.Args[1:], os.Environ())
	}
	println(err.Error())
	os.Exit(127)
}
