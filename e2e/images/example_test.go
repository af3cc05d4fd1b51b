//go:build linux

package images

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// stopped stops the container, at once, not by SIGKILL after a minute.
func stopped(t *testing.T, c container, code string) {
	t.Helper()
	start := time.Now()
	podman(t, "stop", "-t", "60", string(c))
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("podman stop took %v", took)
	}
	if got := c.inspect(t, ".State.ExitCode"); got != code {
		t.Errorf("exit status %s, not %s\n%s", got, code, c.logs(t))
	}
}

// The images of the examples, each with its app started and stopped, and
// stopped during the wait.
func TestExampleImages(t *testing.T) {
	needImages(t, shop, smallShop, tiniShop)
	for _, test := range []struct{ image, first, started string }{
		{imageShop, "/usr/local/bin/envoy-wait", "app: started as PID 1\n"},
		{imageSmallShop, "/envoy-wait", "app: started as PID 1\n"},
		{imageTiniShop, "/usr/bin/tini", "app: started as PID "},
	} {
		t.Run(test.image, func(t *testing.T) {
			waiting := start(t, "waiting", append(lockedDown, test.image)...)
			waiting.await(t, "connection refused")
			if _, file := waiting.executable(t); file != test.first {
				t.Errorf("PID 1 is %s", file)
			}
			stopped(t, waiting, "143")

			app := start(t, "app", append(lockedDown, "--env", "ENVOY_WAIT_DISABLED=true", test.image)...)
			app.await(t, test.started)
			stopped(t, app, "0")
			if logs := app.logs(t); !strings.Contains(logs, "app: terminated, bye\n") {
				t.Error(logs)
			}
		})
	}
}

// None of the examples may rot. The manifests are run on Kubernetes.
func TestEveryExampleIsRun(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(harness.Root(), "examples", "Dockerfile.*"))
	if err != nil {
		t.Fatal(err)
	}
	for i, path := range paths {
		paths[i] = filepath.Base(path)
	}
	harness.Want(t, "the Dockerfiles", strings.Join(paths, " "), "Dockerfile.app Dockerfile.from-distroless Dockerfile.tini")
}
