//go:build linux

package harness

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// InNetwork runs f in a network namespace of its own, with loopback and the address
// 10.1.2.3. Sockets and processes of f are in it, but not those of a goroutine of f:
// the namespace belongs to one thread.
func InNetwork(t testing.TB, f func()) {
	t.Helper()
	NeedRoot(t)
	NeedTools(t, "ip")
	if err := OwnNetwork(func() error { f(); return nil }); err != nil {
		t.Error(err)
	}
}

// OwnNetwork is InNetwork without a test.
func OwnNetwork(f func() error) error {
	done := make(chan error, 1)
	go func() {
		defer close(done)      // also where f ends this goroutine
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- err
			return
		}
		for _, args := range []string{"link set lo up", "addr add 10.1.2.3/32 dev lo"} {
			if out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput(); err != nil {
				done <- fmt.Errorf("ip %s: %w: %s", args, err, out)
				return
			}
		}
		done <- f()
	}()
	return <-done
}

// TLSServer answers 200 over https. Without a configuration its certificate is one that nobody trusts.
func TLSServer(t testing.TB, config *tls.Config) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = config
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
