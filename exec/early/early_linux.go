//go:build amd64 || arm64

package early

import (
	"runtime"

	"github.com/envoy-wait/envoy-wait/exec/internal/handler"
)

func init() {
	runtime.LockOSThread() // so that main is on the first thread: see exec.Catch
	handler.Catch(handler.EndSignals)
}
