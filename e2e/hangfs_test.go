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

// hangingFS mounts a FUSE file system that answers no request, so a look at a file in it hangs in the kernel. Asked is
// closed when the first request is there. A thread whose request was taken cannot be killed (request_wait_answer in
// fs/fuse/dev.c): that goes by takes. The function end closes the connection, which ends the hang.
func hangingFS(t *testing.T, takes bool) (dir string, asked <-chan struct{}, end func()) {
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
		t.Fatalf("got %d bytes of FUSE_INIT, %v, want 56 at least", n, err)
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
	stop, stopped, came := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		first := sync.OnceFunc(func() { close(came) })
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			select {
			case <-stop:
				return
			default:
			}
			if n, _ := unix.Poll(poll, 10); n == 0 {
				continue
			}
			first()
			if !takes {
				<-stop
				return
			}
			_, _ = unix.Read(fd, request)
		}
	}()
	end = sync.OnceFunc(func() {
		close(stop)
		<-stopped
		_ = unix.Close(fd) // aborts the connection
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	})
	t.Cleanup(end)
	return dir, came, end
}

// threads counts the threads of a process.
func threads(t *testing.T, pid int) int {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err != nil || len(tasks) == 0 {
		t.Fatalf("got no threads of process %d, %v, want some", pid, err)
	}
	return len(tasks)
}

// One thread hangs with a file system, however many attempts there are. The wait ends at its deadline, but execve(2)
// waits for that thread: the app starts when the file system is gone.
func TestFileSystemThatHangs(t *testing.T) {
	dir, _, end := hangingFS(t, true)
	mark := filepath.Join(t.TempDir(), "started")
	p := harness.Start(t, envoyWait(t, "--url", "file://"+dir+"/secret", "--request-timeout", "20ms", "--interval", "20ms", "--timeout", "3s",
		"--log-level", "debug", "--", "touch", mark))
	p.Await("no answer in time")
	before := threads(t, p.Process.Pid)
	time.Sleep(time.Second) // some 25 attempts
	if now := threads(t, p.Process.Pid); now > before+2 {
		t.Errorf("got %d threads, want at most %d: there were %d after the first attempts", now, before+2, before)
	}
	p.Await(`starting \"touch\" anyway`)
	time.Sleep(time.Second) // long enough for a start
	if _, err := os.Stat(mark); err == nil {
		t.Error("got a start, want execve to wait for the thread: docs/reliability.md says that it does")
	}
	end()
	p.Result().WantCode(t, 0).Says(t, "not ready after ", "hint: the file system does not answer")
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
}
