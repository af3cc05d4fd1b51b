// Package install copies the running program into a volume, from an image that has no cp.
package install

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// prefix is that of the temporary file beside the new one.
const prefix = ".envoy-wait-"

// To copies the running program to path, or into path if that is a directory. The new file appears whole or not at
// all, also where an older one is being executed. Only a regular file is replaced: no device, FIFO or link.
func To(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "envoy-wait")
	}
	self, err := os.Open("/proc/self/exe") // also where the file was removed
	if err != nil {
		return fmt.Errorf("--install: reading this program: %w", err)
	}
	defer func() { _ = self.Close() }()
	if err := replace(path, self); err != nil {
		if errno := syscall.Errno(0); errors.As(err, &errno) { // what is around it names the temporary file
			err = errno
		}
		return fmt.Errorf("--install: writing %q: %w", path, err)
	}
	return nil
}

func replace(path string, content io.Reader) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return errors.New("not a regular file")
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		defer func() { _ = dir.Close() }()
		sweep(dir)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), prefix+"*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // nothing is there after the rename
	_, err = io.Copy(temp, content)
	// Sync before the rename, or a crash could leave an empty file.
	if err = errors.Join(err, temp.Chmod(0o755), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}

// sweep removes what earlier runs have left that were killed. Until dir is closed no other run sweeps there. Where another
// program holds the lock for a second, or the file system has no locks, it does nothing.
func sweep(dir *os.File) {
	for tries := 0; unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil; tries++ {
		if tries == 100 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		if number, ok := strings.CutPrefix(name, prefix); ok && number != "" && strings.Trim(number, "0123456789") == "" {
			_ = os.Remove(filepath.Join(dir.Name(), name))
		}
	}
}
