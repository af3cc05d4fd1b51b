// Package handler has a signal handler that takes the place of the Go runtime's:
// it writes the number of each signal into a pipe, or, once the process has been
// handed over, ends it. Linux on amd64 and arm64 only.
//
// It imports next to nothing, on purpose: a package is initialised after all that
// it imports, and signals shall be caught before the rest of the program is. Of
// the time until main that leaves out a sixth; with package syscall it would be a
// third.
package handler
