package report

import (
	"os"
	"strings"
)

// writeTerminationLog leaves the reason where kubectl describe pod shows it. The kubelet mounts a file there: nothing
// else may be created or followed. See kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure.
func writeTerminationLog(message string) {
	const path, limit = "/dev/termination-log", 1024
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return
	}
	message = "envoy-wait: " + message
	if len(message) > limit {
		message = strings.ToValidUTF8(message[:limit], "")
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return // it is not ours to write, and there is nobody left to tell
	}
	_, _ = f.WriteString(message)
	_ = f.Close()
}
