//go:build linux

package harness

import (
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// InNetwork runs f on a thread with a network namespace of its own: loopback
// alone, and the address 10.1.2.3. What f listens on or starts is in there, but
// not what a goroutine of f listens on or starts.
func InNetwork(t testing.TB, f func()) {
	t.Helper()
	NeedRoot(t)
	NeedTools(t, "ip")
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		for _, args := range []string{"link set lo up", "addr add 10.1.2.3/32 dev lo"} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				t.Errorf("ip %s: %v: %s", args, err, out)
				return
			}
		}
		f()
	}()
	<-done
}
