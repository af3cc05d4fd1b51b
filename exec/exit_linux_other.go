//go:build linux && !amd64 && !arm64

package exec

// exitAction is SIG_DFL here: every signal in question then ends the process by
// itself, except at PID 1, where the kernel drops those that come in the few
// microseconds between the hand-over and execve.
func exitAction() kernelSigaction { return kernelSigaction{} }
