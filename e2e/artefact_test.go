//go:build linux

package e2e

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The binary is static, and has no path of this machine in it.
func TestArtefact(t *testing.T) {
	harness.WantStatic(t, harness.Binary(t))
	root, err := filepath.Abs(harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(harness.ReadFile(t, harness.Binary(t)), root) {
		t.Errorf("got %q in the binary, want no path of this machine", root)
	}
}

// Two builds in two directories give the same bytes.
func TestBuildIsReproducible(t *testing.T) {
	version := strings.TrimSuffix(strings.TrimPrefix(run(t, "--version").Stdout, "envoy-wait "), "\n")
	elsewhere := harness.CopySources(t)
	harness.Must(t, "make", "-s", "-C", elsewhere, "build", "VERSION="+version)
	first, second := harness.ReadFile(t, harness.Binary(t)), harness.ReadFile(t, filepath.Join(elsewhere, "bin", "envoy-wait"))
	if first != second {
		t.Errorf("version %s: got two builds of %d and %d bytes, want the same bytes", version, len(first), len(second))
	}
}
