package probe

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var urlSeeds = []string{
	DefaultURL, "https://[::1]:15021", "http://h", "HTTP://user:pw@h/", "", "//h/", "ftp://x", "http://:1/", "http://h:", "http://h:0/",
	"http://[::1", "http://h/%zz", "http://user:secret@h:y/", "http://h e/", "http://[fe80::1%25lo]:1/", "http://h?q#f", "http:h", "http://h/\n",
	"http://a,http://b", "http://me:hunter2@@h/", "http://xn--nxasmq6b/", "http://h/a b", "http://ä/ö?ü", "tcp://h:1", "tcp://h:1/x", "unix:///run/s.sock:/ready", "unix://h/s:/x", "file:///ready", "file://h/x",
}

// FuzzURL: what is valid is valid to Wait as well, and to net/http.
func FuzzURL(f *testing.F) {
	for _, raw := range urlSeeds {
		f.Add(raw)
	}
	over, cancel := context.WithCancel(context.Background())
	cancel() // so that nothing is sent
	f.Fuzz(func(t *testing.T, raw string) {
		invalid := ValidateURL(raw)
		err := Wait(over, Config{URLs: []string{raw}, OnAttempt: func(Attempt) { t.Error("there was an attempt") }})
		switch {
		case invalid == nil && !errors.Is(err, context.Canceled):
			t.Errorf("%q is valid: got %v, want no error but the context's", raw, err)
		case invalid != nil && (err == nil || errors.Is(err, context.Canceled)):
			t.Errorf("%q is not valid, %v: got %v, want an error", raw, invalid, err)
		case invalid != nil && strings.ContainsAny(invalid.Error(), "\n\x00"):
			t.Errorf("%q: got %q, want one line", raw, invalid)
		}
		if strings.HasPrefix(raw, "http:") && invalid == nil {
			if req, err := http.NewRequest(http.MethodGet, raw, nil); err != nil || req.URL.Hostname() == "" {
				t.Errorf("%q: got %v, want a request with a host", raw, err)
			}
		}
	})
}

// FuzzRequest: what is valid can be requested. User, path and query are any, the
// host is a server of ours.
func FuzzRequest(f *testing.F) {
	for _, parts := range [][2]string{{"", "/healthz/ready"}, {"me:pw@", "/"}, {"", "?q=1"}, {"", "/a b"}, {"", "/%41%0d%0aX:%20y"}, {"ü:@", "/ö#f"}, {"", ""}, {"", "//x"}, {"%0d%0a:%00@", ";x"}} {
		f.Add(parts[0], parts[1])
	}
	var last atomic.Pointer[http.Request]
	l := serveEach(f, func(conn net.Conn) {
		if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			last.Store(req)
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
	})
	f.Fuzz(func(t *testing.T, user, rest string) {
		raw := "http://" + user + l.Addr().String() + rest
		u, err := url.Parse(raw)
		if ValidateURL(raw) != nil || err != nil || u.Host != l.Addr().String() {
			return
		}
		last.Store(nil)
		if err := Wait(t.Context(), Config{URLs: []string{raw}, Timeout: 20 * time.Second, Once: true}); err != nil {
			t.Fatalf("%q: got %v, want ready", raw, err)
		}
		req := last.Load()
		if req == nil || req.Method != http.MethodGet || req.Host != u.Host || req.RequestURI != u.RequestURI() || len(req.Header["X"]) > 0 {
			t.Errorf("got the request %+v, want %q", req, raw)
		}
	})
}

// FuzzRedact: a password never survives.
func FuzzRedact(f *testing.F) {
	for _, parts := range [][3]string{{"http://", "me", "h:1/"}, {"", "me", "h"}, {"http://a,http://", "", "h/@"}, {"x//", "u//", "h//@"}, {"me", "", "//h@"}} {
		f.Add(parts[0], parts[1], parts[2])
	}
	const password = "hunter2"
	f.Fuzz(func(t *testing.T, before, user, after string) {
		if strings.Contains(before+user+after, password) {
			return
		}
		raw := before + user + ":" + password + "@" + after
		if got := Redact(raw); strings.Contains(got, password) {
			t.Errorf("%q: got %q, want it without the password", raw, got)
		}
	})
}

// FuzzAnswer: an endpoint is ready only if it answers a well-formed 200.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		"", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\n\n", "HTTP/1.1 200\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLIVE\n",
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 +200 OK\r\n\r\n",
		"HTTP/1.1  200 OK\r\n\r\n", "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nX: y", "HTTP/1.1 200 OK\r\nX y\r\n\r\n", "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "ICY 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n", "\r\nHTTP/1.1 200 OK\r\n\r\n", "<html>200 OK</html>", "\x16\x03\x01\x02\x00\x01",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\n: y\r\n\r\n", "HTTP/1.1 200 OK\r\nX\x00: y\r\n\r\n",
	} {
		f.Add([]byte(answer))
	}
	var answer atomic.Pointer[[]byte]
	l := serveEach(f, func(conn net.Conn) {
		if readRequest(conn); answer.Load() != nil {
			_, _ = conn.Write(*answer.Load())
		}
	})
	f.Fuzz(func(t *testing.T, raw []byte) {
		answer.Store(&raw)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var got Attempt
		err := Wait(ctx, Config{URLs: []string{"http://" + l.Addr().String()}, Timeout: 20 * time.Second, OnAttempt: func(a Attempt) { got = a; cancel() }})
		ready := err == nil
		if ready != (got.Outcome == Ready) || got.Number != 1 {
			t.Errorf("%q: got %v, %v, want one attempt that agrees", raw, err, got)
		}
		if ready && !isGenuine(raw) {
			t.Errorf("got ready by %q, want it not", raw)
		}
		if plain := "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; !ready && string(raw) == plain {
			t.Errorf("got %v by %q, want ready", got, raw)
		}
		if len(got.Cause()) > 200 {
			t.Errorf("%q: got a cause of %d bytes, want at most 200", raw, len(got.Cause()))
		}
	})
}

// The forms that an answer may have, read without net/http: RFC 9112, sections
// 2.2 and 4, with the leniency that clients have about line ends and spaces.
var (
	statusLine = regexp.MustCompile(`^HTTP/[0-9]\.[0-9] +([0-9]{3})( .*)?$`)
	fieldLine  = regexp.MustCompile(`^[!#$%&'*+\-.^_\x60|~0-9A-Za-z ]+:`)
)

// isGenuine reports whether raw begins with a complete 200, after any number of
// informational answers.
func isGenuine(raw []byte) bool {
	for {
		line, rest, ok := bytes.Cut(raw, []byte("\n"))
		status := statusLine.FindSubmatch(bytes.TrimRight(line, "\r \t"))
		if !ok || status == nil {
			return false
		}
		for first := true; ; first = false {
			if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
				return false
			}
			line = bytes.TrimRight(line, "\r \t")
			if len(line) == 0 {
				break
			}
			folded := !first && (line[0] == ' ' || line[0] == '\t')
			if !folded && !fieldLine.Match(line) {
				return false
			}
		}
		if status[1][0] != '1' || string(status[1]) == "101" {
			return string(status[1]) == "200"
		}
		raw = rest
	}
}

// serveEach serves one connection after the other on loopback.
func serveEach(f *testing.F, serve func(net.Conn)) net.Listener {
	f.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			_ = conn.Close()
		}
	}()
	return l
}
