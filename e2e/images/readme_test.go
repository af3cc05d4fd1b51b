//go:build linux

package images

import (
	"path/filepath"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// TestReadme builds the README's Dockerfile as it stands, and runs the image.
func TestReadme(t *testing.T) {
	needImages(t, ours)
	dockerfiles := markdown.In(harness.Source(t, "README.md"), "dockerfile")
	if len(dockerfiles) != 1 {
		t.Fatalf("got %d Dockerfiles, want 1", len(dockerfiles))
	}
	dir := t.TempDir()
	harness.WriteFile(t, filepath.Join(dir, "Dockerfile"), dockerfiles[0], 0o644)
	harness.WriteFile(t, filepath.Join(dir, "app"), harness.ReadFile(t, harness.Binary(t)), 0o755) // it needs nothing of the base
	podman(t, "build", "--network=none", "-t", "readme", dir)

	runOnce(t, "--env", "ENVOY_WAIT_DISABLED=true", "readme", "--version").WantCode(t, 0)
}
