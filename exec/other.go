//go:build !linux

package exec

import "errors"

// Supervise is for Linux only: what it does for the command is Linux's.
func Supervise(string, []string, []string, *Signals) (status int, err error) {
	return 0, errors.New("expected Linux")
}

// WriteInBackground is for Linux only.
func WriteInBackground() {}
