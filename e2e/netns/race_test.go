//go:build linux

package netns

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

func refused(r harness.Result) bool {
	return r.Code == 1 && strings.Contains(r.Stdout+r.Stderr, "Connection refused")
}

func answered(r harness.Result) bool { return r.Code == 0 && r.Stdout == "PONG\n" }

// The race: the app starts before Envoy listens, and everything refuses it.
func TestAppBeforeSidecar(t *testing.T) {
	p := newPod(t)
	p.startRedis()
	if r := p.startApp().Result(); r.Code != 1 || !strings.Contains(r.Stdout+r.Stderr, "No route to host") {
		t.Fatalf("the Service is there without the redirect: %+v", r)
	}
	p.redirect()
	if r := p.startApp().Result(); !refused(r) {
		t.Errorf("no sidecar: %+v", r)
	}
	s := p.startSidecar()
	s.openStatus()
	if r := p.startApp().Result(); !refused(r) {
		t.Errorf("the sidecar is not ready: %+v", r)
	}

	app := p.startAppBehindEnvoyWait()
	app.Await("status 503")
	s.openOutbound()
	if r := app.Result(); !answered(r) {
		t.Errorf("behind envoy-wait: %+v", r)
	}
	if r := p.startApp().Result(); !answered(r) {
		t.Errorf("the sidecar is ready: %+v", r)
	}
	if r := s.end(); r.Code != 0 || r.Stderr != "" {
		t.Errorf("sidecar: %+v", r)
	}
}

// Whatever the sidecar's delay, the app behind envoy-wait is never refused. The
// app without it, started at the same moment, is.
func TestStartsInARow(t *testing.T) {
	needPods(t)
	const pods, startsEach, longest = 5, 10, 2 * time.Second
	var good, bare atomic.Int32
	t.Run("pods", func(t *testing.T) {
		for i := range pods {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				p := newPod(t)
				p.startRedis()
				p.redirect()
				for range startsEach {
					ready := rand.N(longest)
					status := rand.N(ready + 1)
					s := p.startSidecar()
					app, control := p.startAppBehindEnvoyWait(), p.startApp()
					time.Sleep(status)
					s.openStatus()
					time.Sleep(ready - status)
					s.openOutbound()
					if r := app.Result(); answered(r) {
						good.Add(1)
					} else {
						t.Errorf("503 after %v, 200 after %v: %+v", status, ready, r)
					}
					if refused(control.Result()) {
						bare.Add(1)
					}
					s.end()
				}
			})
		}
	})
	t.Logf("%d starts: refused without envoy-wait %d", good.Load(), bare.Load())
	if good.Load() != pods*startsEach {
		t.Errorf("%d of %d starts", good.Load(), pods*startsEach)
	}
	// Nearly all; but one that is late on a busy machine finds a quick sidecar.
	if bare.Load() < pods*startsEach/5 {
		t.Errorf("there was no race: without envoy-wait %d of %d were refused", bare.Load(), pods*startsEach)
	}
}

// The Vault race: an init container's connections are redirected to a sidecar
// that starts only after it. No wait helps, the exclusion does.
func TestSecretBeforeSidecar(t *testing.T) {
	harness.NeedTools(t, "busybox", "curl")
	p := newPod(t)
	secrets := t.TempDir()
	if err := os.WriteFile(filepath.Join(secrets, "db"), []byte("hunter2"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := p.host.start(p.host.command("busybox", "httpd", "-f", "-vv", "-p", vault+":8200", "-h", secrets))
	fetch := []string{"curl", "-sSv", "--max-time", "30", "http://" + vault + ":8200/db"}
	initStep := func() harness.Result { return p.run(fetch[0], fetch[1:]...) }
	harness.Until(t, "a secret, without any redirect", func() bool { return initStep().Stdout == "hunter2" }, server.Stderr)

	envoyWait := func() {
		t.Helper()
		for _, command := range [][]string{nil, append([]string{"--"}, fetch...)} {
			args := append([]string{"--timeout", "500ms", "--on-timeout", "fail"}, command...)
			r := p.run(harness.Binary(t), args...)
			if r.Code != 124 || r.Stdout != "" || !strings.Contains(r.Stderr, "connection refused; hint: ") ||
				!strings.Contains(r.Stderr, "is this an init container? sidecars start after those, unless native") {
				t.Errorf("envoy-wait in the init container: %+v", r)
			}
		}
	}
	p.redirect()
	if r := initStep(); r.Code != 7 || !strings.Contains(r.Stderr, "Connection refused") {
		t.Errorf("without the exclusion: %+v", r)
	}
	envoyWait()

	p.redirect(vault + "/32")
	if r := initStep(); r.Code != 0 || r.Stdout != "hunter2" {
		t.Errorf("with the exclusion: %+v", r)
	}
	if last := server.Stderr()[strings.LastIndex(strings.TrimSpace(server.Stderr()), "\n")+1:]; !strings.Contains(last, podAddress) {
		t.Errorf("not from the Pod itself: %q", last)
	}
	envoyWait()
}
