package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// install copies the running binary to path, or into it if it is a directory:
// an image made from scratch has no cp. The new file appears whole or not at
// all, also where an older one is being executed.
func install(path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, "envoy-wait")
	}
	if err := replaceByCopy(path); err != nil {
		var errno syscall.Errno // alone: what is around it names the temporary file
		if errors.As(err, &errno) {
			err = errno
		}
		return fmt.Errorf("--install: writing %q: %w", path, err)
	}
	return nil
}

func replaceByCopy(path string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	in, err := os.Open(self)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()

	temp, err := os.CreateTemp(filepath.Dir(path), ".envoy-wait-*")
	if err != nil {
		return err
	}
	// Gone after the rename; otherwise no debris is left.
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = io.Copy(temp, in)
	err = errors.Join(err, temp.Chmod(0o755))
	if err == nil {
		err = temp.Sync() // before the rename, or a crash could leave an empty file
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), path)
}
