//go:build linux

package images

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// stopped stops the container, and checks that its signal ended it, not SIGKILL after a minute.
func stopped(t *testing.T, c container, code string) {
	t.Helper()
	start := time.Now()
	podman(t, "stop", "-t", "60", string(c))
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("podman stop took %v, want at most 10s", took)
	}
	if got := c.inspect(t, ".State.ExitCode"); got != code {
		t.Errorf("got exit status %s, want %s\n%s", got, code, c.logs(t))
	}
}

// exampleImages are the Dockerfiles of the examples: the image of each, the program that is PID 1, and the app's first
// line.
var exampleImages = map[string]struct{ image, first, started string }{
	"Dockerfile.app":             {imageShop, "/usr/local/bin/envoy-wait", "app: started as PID 1\n"},
	"Dockerfile.from-distroless": {imageSmallShop, "/envoy-wait", "app: started as PID 1\n"},
	"Dockerfile.tini":            {imageTiniShop, "/usr/bin/tini", "app: started as PID "},
}

// Each image of the examples is stopped during the wait, and once more after the start of its app.
func TestExampleImages(t *testing.T) {
	needImages(t, shop, smallShop, tiniShop)
	paths, err := filepath.Glob(filepath.Join(harness.Root(), "examples", "Dockerfile.*"))
	if err != nil || len(paths) != len(exampleImages) {
		t.Errorf("got the Dockerfiles %q, %v, want %d", paths, err, len(exampleImages))
	}
	for _, path := range paths {
		test, ok := exampleImages[filepath.Base(path)]
		if !ok {
			t.Errorf("got no test of %s, want one", path)
			continue
		}
		t.Run(test.image, func(t *testing.T) {
			waiting := start(t, "waiting", append(lockedDown, test.image)...)
			waiting.await(t, "connection refused")
			if _, file := waiting.executable(t); file != test.first {
				t.Errorf("got %s as PID 1, want %s", file, test.first)
			}
			stopped(t, waiting, "143")

			app := start(t, "app", append(lockedDown, "--env", "ENVOY_WAIT_DISABLED=true", test.image)...)
			app.await(t, test.started)
			stopped(t, app, "0")
			harness.WantIn(t, app.logs(t), "app: terminated, bye\n")
		})
	}
}
