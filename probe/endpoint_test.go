package probe

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTCP(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) { _, _ = io.Copy(io.Discard, conn) })
	url := "tcp://localhost:" + strconv.Itoa(s.port())
	never := func(string, int) bool { return false } // of no matter here: there is no status
	if got := attempt(t, 1, Config{URLs: []string{url}, Accepts: never}); got.Outcome != Ready || got.Status != 0 || got.Cause() != "ready" {
		t.Errorf("got %v, want ready", got)
	}
	_ = s.Close()
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Refused || got.Cause() != "connection refused" {
		t.Errorf("got %v, want connection refused", got)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	url := "unix://" + path + ":/ready?x=1"
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Refused || got.Cause() != "no such file or directory" {
		t.Errorf("got %v, want no such file", got)
	}
	requests := make(chan string, 1)
	s := listen(t, "unix", path, func(conn net.Conn, _ *server) {
		request := make([]byte, 100)
		n, _ := conn.Read(request)
		requests <- string(request[:n])
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\nLIVE\n")
	})
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Ready || got.Status != 200 || got.URL != url {
		t.Errorf("got %v of %s with status %d, want ready of %s with 200", got.Outcome, got.URL, got.Status, url)
	}
	const want = "GET /ready?x=1 HTTP/1.1\r\nHost: localhost\r\n"
	if got := <-requests; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("got the request %q, want %q", got, want)
	}
	s.Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = s.Close()
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Refused || got.Cause() != "connection refused" {
		t.Errorf("got %v, want connection refused", got)
	}
}

// Without an HTTP path a Unix socket is ready when it accepts.
func TestUnixSocketWithoutHTTP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "php fpm.sock")
	url := "unix://" + strings.ReplaceAll(path, " ", "%20")
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Refused || got.Cause() != "no such file or directory" {
		t.Errorf("got %v, want no such file", got)
	}
	sent := make(chan []byte, 1)
	s := listen(t, "unix", path, func(conn net.Conn, _ *server) {
		all, _ := io.ReadAll(conn)
		sent <- all
	})
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Ready || got.Status != 0 || got.Cause() != "ready" {
		t.Fatalf("got %v, want ready", got)
	}
	if got := <-sent; len(got) > 0 {
		t.Errorf("got %q, want nothing sent", got)
	}
	s.Listener.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = s.Close()
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Refused || got.Cause() != "connection refused" {
		t.Errorf("got %v, want connection refused", got)
	}
}

func TestFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "secret")
	expect := func(what string, outcome Outcome, cause string) {
		t.Helper()
		got := attempt(t, 1, Config{URLs: []string{"file://" + path}})
		if got.Outcome != outcome || got.Cause() != cause {
			t.Errorf("%s: %+v, want outcome %v (%s)", what, got, outcome, cause)
		}
	}
	expect("missing", Refused, "no such file or directory")
	if err := os.WriteFile(path, nil, 0); err != nil {
		t.Fatal(err)
	}
	expect("empty", Refused, "the file is empty")
	if err := os.WriteFile(filepath.Join(dir, "data"), []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path)
	if err := os.Symlink("data", path); err != nil { // as Kubernetes projects a Secret
		t.Fatal(err)
	}
	expect("there", Ready, "ready")
	path = dir
	expect("a directory", Failed, "not a regular file")
}

// While a look at a file hangs in the kernel no other is begun. The file is found
// by the next attempt after that look returns.
func TestFileSystemThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		looks, attempts := 0, 0
		hangs := oneAtATime(func() error {
			looks++
			time.Sleep(time.Minute)
			return nil
		})
		start := time.Now()
		cfg := Config{Timeout: NoTimeout, URLs: []string{"file:///x"}, OnAttempt: func(a Attempt) {
			if attempts++; a.Outcome != NoAnswer && a.Outcome != Ready {
				t.Errorf("got %v, want no answer, then ready", a)
			}
		}}
		err := wait(t.Context(), cfg, func(endpoint, Config) http.RoundTripper { return hangs }, nil)
		if err != nil || looks != 1 || attempts < 10 || time.Since(start) > time.Minute+DefaultInterval {
			t.Errorf("got %v after %v, %d looks in %d attempts, want ready after a minute, 1 look", err, time.Since(start), looks, attempts)
		}
	})
}
