//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The file that is released: static, and the same wherever it is built.
func TestArtefact(t *testing.T) {
	harness.WantStatic(t, harness.Binary(t))
	root, err := filepath.Abs(harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(harness.ReadFile(t, harness.Binary(t)), root) {
		t.Error("it holds a path of this machine")
	}
}

func TestBuildIsReproducible(t *testing.T) {
	version := strings.TrimSuffix(strings.TrimPrefix(run(t, "--version").Stdout, "envoy-wait "), "\n")
	elsewhere := harness.CopySources(t)
	harness.Must(t, "make", "-s", "-C", elsewhere, "build", "VERSION="+version)
	first, second := harness.ReadFile(t, harness.Binary(t)), harness.ReadFile(t, filepath.Join(elsewhere, "bin", "envoy-wait"))
	if first != second {
		t.Errorf("two builds of version %s differ: %d and %d bytes", version, len(first), len(second))
	}
}
