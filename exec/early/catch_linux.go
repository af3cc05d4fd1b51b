//go:build amd64 || arm64

package early

import "github.com/envoy-wait/envoy-wait/exec/internal/handler"

func catch() { handler.Catch(handler.EndSignals) }
