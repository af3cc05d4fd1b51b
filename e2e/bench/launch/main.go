//go:build linux

// Command launch runs a command and writes what it cost to a file:
//
//	launch FILE command [args...]
//
// It stands between the bench and what it measures because Linux counts into a
// process's peak memory that of the process it was forked from. So it is small,
// and does nothing before the command has ended.
package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/bench/wire"
)

func main() {
	usage, err := run(os.Args[2:])
	if err == nil {
		var text []byte
		if text, err = json.Marshal(usage); err == nil {
			err = os.WriteFile(os.Args[1], text, 0o600)
		}
	}
	if err != nil {
		println("launch:", err.Error())
		os.Exit(1)
	}
}

func run(argv []string) (usage wire.Usage, err error) {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return usage, err
	}
	attr := &syscall.ProcAttr{Env: syscall.Environ(), Files: []uintptr{0, 1, 2}}
	if usage.Start, err = wire.Now(); err != nil {
		return usage, err
	}
	pid, err := syscall.ForkExec(path, argv, attr)
	if err != nil {
		return usage, err
	}
	var status syscall.WaitStatus
	var r syscall.Rusage
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		_, err = syscall.Wait4(pid, &status, 0, &r)
	}
	if err != nil {
		return usage, err
	}
	usage.End, err = wire.Now()
	usage.CPU = time.Duration(r.Utime.Nano() + r.Stime.Nano())
	usage.PeakKB, usage.Voluntary, usage.Status = r.Maxrss, r.Nvcsw, int(status)
	return usage, err
}
