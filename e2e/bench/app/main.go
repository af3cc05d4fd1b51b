//go:build linux && (amd64 || arm64)

// Command app is the app that the bench starts. Its first instruction takes the
// clock. It has no runtime: the linker's -E main.entry makes it begin at entry.
//
//	app
//
// It writes a struct timespec of CLOCK_MONOTONIC to stdout, and exits.
package main

// entry is in entry_*.s, and never returns.
func entry()

func main() { entry() } // for the compiler: the process begins at entry
