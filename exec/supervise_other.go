//go:build !linux

package exec

import "errors"

// Supervise is not supported on this system: what it does for the command is
// Linux's.
func Supervise(string, []string, []string, *Signals) error {
	return errors.New("running the command as a child is supported on Linux only")
}
