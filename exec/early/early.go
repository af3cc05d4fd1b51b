// Package early is imported for its effect, which comes before nearly all other
// packages are initialised, some milliseconds before main.
//
// The signals that end a wait are caught from then on, and exec.Catch finds those
// that came. Until then Go's own handlers drop USR1, USR2, WINCH and the real-time
// signals, and end a process that is PID 1 with status 2, since it cannot kill
// itself. Elsewhere than on Linux on amd64 and arm64 they are caught by exec.Catch
// only.
//
// One processor is used, GOMAXPROCS is 1: in a program that sleeps nearly all the
// time more would only have threads look for work of one another at each waking,
// and at the start.
//
// Only the main package of a program that calls exec.Catch first of all may import
// it: without that call the signals would have no effect.
package early

import "runtime"

func init() {
	runtime.LockOSThread() // so that main is on the first thread: see exec.Catch
	catch()
	runtime.GOMAXPROCS(1)
}
