// Package early is imported for its effect: the signals that end a wait are caught
// from the initialisation of the program's packages on, some milliseconds before
// main, and exec.Catch then finds those that came. Until then Go's own handlers
// drop USR1, USR2, WINCH and the real-time signals, and end a process that is PID 1
// with status 2, since it cannot kill itself.
//
// Only the main package of a program that calls exec.Catch first of all may import
// it: without that call the signals would have no effect. On systems other than
// Linux, and on architectures other than amd64 and arm64, it does nothing.
package early
