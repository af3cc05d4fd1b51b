//go:build linux

package e2e

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// hangingFS mounts a FUSE file system whose daemon takes every request and answers none: a look at a file in it hangs in
// the kernel until the connection is gone, which is what end does.
func hangingFS(t *testing.T) (dir string, end func()) {
	t.Helper()
	harness.NeedRoot(t)
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	harness.Need(t, err == nil, fmt.Sprintf("needs /dev/fuse: %v", err))
	dir = t.TempDir()
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd)
	if err := unix.Mount("hang", dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Fatal(err)
	}
	// FUSE_INIT comes first, with the unique number of the request at offset 8: include/uapi/linux/fuse.h.
	request := make([]byte, 1<<17)
	if n, err := unix.Read(fd, request); err != nil || n < 56 {
		t.Fatalf("%d bytes of FUSE_INIT: %v", n, err)
	}
	answer := make([]byte, 16+64)
	binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
	copy(answer[8:16], request[8:16])
	binary.NativeEndian.PutUint32(answer[16:], 7)
	binary.NativeEndian.PutUint32(answer[20:], 31)
	binary.NativeEndian.PutUint32(answer[36:], 1<<16) // max_write
	if _, err := unix.Write(fd, answer); err != nil {
		t.Fatal(err)
	}
	// Once it is read, the request of a thread cannot be killed: request_wait_answer in fs/fuse/dev.c.
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			select {
			case <-stop:
				return
			default:
			}
			if n, _ := unix.Poll(poll, 10); n > 0 {
				_, _ = unix.Read(fd, request)
			}
		}
	}()
	end = sync.OnceFunc(func() {
		close(stop)
		<-stopped
		_ = unix.Close(fd) // aborts the connection
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	})
	t.Cleanup(end)
	return dir, end
}

// threads counts those of a process.
func threads(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no threads of %d: %v", pid, err)
	}
	return len(tasks)
}

// Where a file system hangs in the kernel one thread hangs with it, however many attempts there are. The wait ends at
// its deadline. execve(2) does not: it waits for that thread, and the app starts when the file system is gone.
func TestFileSystemThatHangs(t *testing.T) {
	dir, end := hangingFS(t)
	mark := filepath.Join(t.TempDir(), "started")
	p := harness.Start(t, envoyWait(t, "--url", "file://"+dir+"/secret", "--request-timeout", "20ms", "--interval", "20ms", "--timeout", "3s",
		"--log-level", "debug", "--", "touch", mark))
	p.Await("no answer in time")
	before := threads(t, p.Process.Pid)
	time.Sleep(time.Second) // some 25 attempts
	if now := threads(t, p.Process.Pid); now > before+2 {
		t.Errorf("%d threads, %d after the first attempts", now, before)
	}
	p.Await(`starting \"touch\" anyway`)
	time.Sleep(time.Second) // the app would be long there
	if _, err := os.Stat(mark); err == nil {
		t.Error("execve does not wait for the thread any more: say so in docs/reliability.md")
	}
	end()
	p.Result().WantCode(t, 0).Says(t, "not ready after ", "hint: the file system does not answer")
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
}
