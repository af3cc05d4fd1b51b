//go:build linux && (amd64 || arm64)

package exec

// exitHandler is a signal handler that ends the process with 128 + the number of
// the signal. It is in assembly since no Go code can run in a signal handler
// that the runtime does not know of. SIG_DFL would do as well but for PID 1,
// where the kernel drops signals with that disposition.
func exitHandler() uintptr

func exitAction() kernelSigaction {
	const (
		saOnStack  = 0x08000000 // the stack of a goroutine has no room for the frame
		saRestorer = 0x04000000 // amd64 wants one (sigreturn(2)); it is never reached
	)
	pc := exitHandler()
	return kernelSigaction{handler: pc, flags: saOnStack | saRestorer, restorer: pc, mask: ^uint64(0)}
}
