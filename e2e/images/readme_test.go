//go:build linux

package images

import (
	"path/filepath"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// TestReadme builds a Dockerfile with the README's two lines in it, and runs the image.
func TestReadme(t *testing.T) {
	needImages(t, ours)
	dockerfiles := markdown.In(harness.Source(t, "README.md"), "dockerfile")
	if len(dockerfiles) != 1 {
		t.Fatalf("got %d Dockerfiles, want 1", len(dockerfiles))
	}
	dir := t.TempDir()
	base := "FROM docker.io/library/debian:12-slim\nCOPY app /usr/local/bin/\n"
	harness.WriteFile(t, filepath.Join(dir, "Dockerfile"), base+dockerfiles[0], 0o644)
	harness.WriteFile(t, filepath.Join(dir, "app"), harness.ReadFile(t, harness.Binary(t)), 0o755) // it needs nothing of the base
	podman(t, "build", "--network=none", "-t", "readme", dir)

	runOnce(t, "--env", "ENVOY_WAIT_DISABLED=true", "readme", "--version").WantCode(t, 0)
}
