//go:build linux && (amd64 || arm64)

// Command app is the app that the bench starts. Its first instructions take the
// clock, before any runtime: linked with -E main.entry, it begins there.
//
//	app FILE
//
// It writes a struct timespec of CLOCK_MONOTONIC to FILE, which must exist, and exits.
package main

// entry is in entry_*.s, and never returns.
func entry()

func main() { entry() } // for the compiler: the process begins at entry
