//go:build linux

package images

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// TestReadme builds the README's Dockerfile as it stands, and runs the image.
func TestReadme(t *testing.T) {
	needImages(t, ours)
	readme := harness.ReadFile(t, filepath.Join(harness.Root(), "README.md"))
	blocks := regexp.MustCompile("(?s)\n```dockerfile\n(.*?)```").FindAllStringSubmatch(readme, -1)
	if len(blocks) != 1 {
		t.Fatalf("got %d Dockerfiles, want 1", len(blocks))
	}
	dir := t.TempDir()
	harness.WriteFile(t, filepath.Join(dir, "Dockerfile"), blocks[0][1], 0o644)
	app, err := os.ReadFile(harness.Binary(t)) // a program that needs nothing of the base
	if err != nil {
		t.Fatal(err)
	}
	harness.WriteFile(t, filepath.Join(dir, "app"), string(app), 0o755)
	podman(t, "build", "--network=none", "-t", "readme", dir)

	runOnce(t, "--env", "ENVOY_WAIT_DISABLED=true", "readme", "--version").WantCode(t, 0)
}
