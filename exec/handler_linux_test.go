//go:build linux && (amd64 || arm64)

package exec

import (
	"slices"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/exec/internal/handler"
)

// What is caught from before main is what Catch catches.
func TestEndSignals(t *testing.T) {
	var early []syscall.Signal
	for _, sig := range handler.EndSignals {
		early = append(early, syscall.Signal(sig))
	}
	if !slices.Equal(early, endSignals()) {
		t.Errorf("%v is caught early, %v by Catch", early, endSignals())
	}
}
