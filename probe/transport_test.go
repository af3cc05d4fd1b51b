package probe

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// server is a listener on loopback that counts what reaches it.
type server struct {
	net.Listener
	connections, requests atomic.Int32
}

// listen serves each connection with serve, and closes it after that.
func listen(t *testing.T, network, address string, serve func(net.Conn, *server)) *server {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("no %s here: %v", network, err)
	}
	s := &server{Listener: l}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.connections.Add(1)
			conns.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn, s)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Wait() // hangs unless Wait has closed its connections
	})
	return s
}

// answering serves the same bytes for every request, on one connection as long
// as the other side keeps it.
func answering(t *testing.T, answer string, keep bool) *server {
	return listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, s *server) {
		in := bufio.NewReader(conn)
		for {
			if _, err := http.ReadRequest(in); err != nil {
				return
			}
			s.requests.Add(1)
			if _, err := io.WriteString(conn, answer); err != nil || !keep {
				return
			}
		}
	})
}

// readRequest must come before the end of a connection: one that is closed with
// something unread in it is reset.
func readRequest(conn net.Conn) { _, _ = http.ReadRequest(bufio.NewReader(conn)) }

func (s *server) url() string { return "http://" + s.Addr().String() + "/healthz/ready" }

func (s *server) port() int { return s.Addr().(*net.TCPAddr).Port }

// attempt returns the n-th attempt, or the one that found the endpoint ready.
func attempt(t *testing.T, n int, cfg Config) (last Attempt) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg.OnAttempt = func(a Attempt) {
		if last = a; a.Number == n {
			cancel()
		}
	}
	cfg.Interval = MinInterval
	_ = Wait(ctx, cfg)
	return last
}

// What a genuine 200 is, and what is not, over a real connection.
func TestAnswers(t *testing.T) {
	const empty = "\r\nContent-Length: 0\r\n\r\n"
	for _, test := range []struct {
		name, answer string
		want         Outcome
		cause        string
	}{
		{"Istio's agent, ready", "HTTP/1.1 200 OK\r\nVary: Origin" + empty, Ready, "status 200"},
		{"Istio's agent, unready", "HTTP/1.1 503 Service Unavailable\r\nVary: Origin" + empty, Unready, "status 503"},
		{"Envoy's admin", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLIVE\n", Ready, "status 200"},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", Ready, "status 200"},
		{"a body shorter than its length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx", Ready, "status 200"},
		{"after an informational answer", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK" + empty, Ready, "status 200"},
		{"a body without end", "HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("x", 1<<20), Ready, "status 200"},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", Unready, "status 204"},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: /" + empty, Unready, "status 302"},
		{"redirect that leads nowhere", "HTTP/1.1 302 Found\r\nLocation: http://%zz/" + empty, Unready, "status 302"},
		{"a status below 100", "HTTP/1.1 020 OK" + empty, NotHTTP, `malformed HTTP status code "020"`},
		{"a status with a sign", "HTTP/1.1 +20 OK" + empty, NotHTTP, `malformed HTTP status code "+20"`},
		{"a status of zeros", "HTTP/1.1 000 OK" + empty, NotHTTP, `malformed HTTP status code "000"`},
		{"a status above 599", "HTTP/1.1 600 OK" + empty, NotHTTP, `malformed HTTP status code "600"`},
		{"200 in the body", "HTTP/1.1 500 Oops\r\nContent-Length: 15\r\n\r\nHTTP/1.1 200 OK", Unready, "status 500"},
		{"headers that break off", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", Failed, "connection closed without a complete answer"},
		{"nothing", "", Failed, "connection closed without a complete answer"},
		{"too many headers", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X: y\r\n", 4000) + "\r\n", NotHTTP, ""},
		{"a header of 1 MB", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n", NotHTTP, ""},
		{"too many informational answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 1000) + "HTTP/1.1 200 OK" + empty, NotHTTP, ""},
		{"HTTP/0.9", "<html>200 OK</html>", NotHTTP, ""},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", NotHTTP, ""},
		{"a status of four digits", "HTTP/1.1 2000 OK" + empty, NotHTTP, ""},
		{"a status with letters", "HTTP/1.1 2OO OK" + empty, NotHTTP, ""},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NotHTTP, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := attempt(t, 1, Config{URLs: []string{answering(t, test.answer, false).url()}})
			if got.Outcome != test.want || test.cause != "" && got.Cause() != test.cause {
				t.Errorf("outcome %v (%s), want %d (%s)", got.Outcome, got.Cause(), test.want, test.cause)
			}
			if len(got.Cause()) > 200 {
				t.Errorf("the cause has %d bytes, want at most 200", len(got.Cause()))
			}
			if strings.Contains(got.Cause(), "127.0.0.1") || strings.Contains(got.Cause(), "Get ") {
				t.Errorf("got the cause %q, want it without the request", got.Cause())
			}
		})
	}
}

// Hints go by what these causes are.
func TestTLSOnOneSideOnly(t *testing.T) {
	handler := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	plain, secure := httptest.NewServer(handler), httptest.NewUnstartedServer(handler)
	defer plain.Close()
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	url := strings.Replace(plain.URL, "http", "https", 1)
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != NotHTTP || !errors.Is(got.Err, http.ErrSchemeMismatch) {
		t.Errorf("https to a plain port: got %v (%v), want it not HTTP by a mismatch of the scheme", got, got.Outcome)
	}
	url = strings.Replace(secure.URL, "https", "http", 1)
	if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Unready || got.Status != http.StatusBadRequest {
		t.Errorf("http to a TLS port: got %v, want status 400", got)
	}
	got := attempt(t, 1, Config{URLs: []string{secure.URL}})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](got.Err); got.Outcome != Failed || !unknown {
		t.Errorf("a certificate that nobody signed: got %v (%v), want it to fail by an unknown authority", got, got.Outcome)
	}
}

// The text of an expired certificate has the time of day in it, that of a name server that refuses a source port.
func TestCausesOfRealFailuresReadTheSame(t *testing.T) {
	resolver := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = resolver })
	nobody, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = nobody.Close()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", nobody.LocalAddr().String())
	}}
	url, roots := servingExpired(t)
	for name, test := range map[string]struct {
		cfg  Config
		want string
	}{
		"no name server":         {Config{URLs: []string{"http://sidecar.invalid/"}}, "looking up the host: connection refused"},
		"no name server, tcp":    {Config{URLs: []string{"tcp://sidecar.invalid:1"}}, "looking up the host: connection refused"},
		"an expired certificate": {Config{URLs: []string{url}, RootCAs: roots}, "certificate has expired or is not yet valid: it is valid from 2019-01-02T03:04:05Z to 2020-01-02T03:04:05Z"},
	} {
		if got := attempt(t, 1, test.cfg); got.Outcome != Failed || got.Cause() != test.want {
			t.Errorf("%s: got %v (%s), want failed (%s)", name, got.Outcome, got.Cause(), test.want)
		}
	}
}

// servingExpired serves https with a certificate that has expired, and that its own key has signed.
func servingExpired(t *testing.T) (url string, roots *x509.CertPool) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2019, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(certificate)
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: private}}}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, roots
}

// A certificate of an authority of one's own is as good as another.
func TestRootCAs(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	if got := attempt(t, 1, Config{URLs: []string{s.URL}, RootCAs: roots}); got.Outcome != Ready {
		t.Errorf("got %v, want ready", got)
	}
	if err := Quit(t.Context(), QuitConfig{URLs: []string{s.URL}, RootCAs: roots}); err != nil {
		t.Errorf("got %v, want the sidecar told", err)
	}
}

func TestReset(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	if got := attempt(t, 1, Config{URLs: []string{s.url()}}); got.Outcome != Failed {
		t.Errorf("got %v, want it to fail", got)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	ready := answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false)
	redirect := answering(t, "HTTP/1.1 307 See There\r\nLocation: "+ready.url()+"\r\nContent-Length: 0\r\n\r\n", true)
	if got := attempt(t, 5, Config{URLs: []string{redirect.url()}}); got.Status != 307 {
		t.Errorf("got %v, want status 307", got)
	}
	if n := ready.connections.Load(); n != 0 {
		t.Errorf("the target of the redirect saw %d connections, want none", n)
	}
}

// An answer that hands over the connection is one like any other. No context ends a read of its body.
func TestSwitchingProtocols(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	if got := attempt(t, 3, Config{URLs: []string{s.url()}}); got.Number != 3 || got.Outcome != Unready || got.Status != 101 {
		t.Errorf("got %v, want the third with status 101", got)
	}
	start := time.Now()
	err := Wait(t.Context(), Config{URLs: []string{s.url()}, Timeout: 250 * time.Millisecond})
	if took := time.Since(start); err == nil || took > 5*time.Second {
		t.Errorf("%v after %v, want a timeout after 250ms", err, took)
	}
}

// A body that never comes costs no attempt.
func TestBodyThatNeverComes(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	var timedOut *TimeoutError
	err := Wait(t.Context(), Config{URLs: []string{s.url()}, Timeout: 3 * time.Second})
	if !errors.As(err, &timedOut) || timedOut.Attempts < 14 || timedOut.Attempts > 29 {
		t.Errorf("got %+v, want a timeout after about 28 attempts", err)
	}
}

// RequestTimeout ends an attempt wherever it hangs, and the next one may succeed.
func TestRequestTimeout(t *testing.T) {
	for name, beginning := range map[string]string{
		"before the status": "", "in the status": "HTTP/1.1 2", "in the headers": "HTTP/1.1 200 OK\r\nContent-Le",
		"after an informational answer": "HTTP/1.1 103 Early Hints\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, s *server) {
				readRequest(conn)
				if s.connections.Load() > 1 {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
					return
				}
				_, _ = io.WriteString(conn, beginning)
				_, _ = io.Copy(io.Discard, conn) // until the other side gives up
			})
			var outcomes []Outcome
			err := Wait(t.Context(), Config{
				URLs: []string{s.url()}, RequestTimeout: 50 * time.Millisecond,
				OnAttempt: func(a Attempt) { outcomes = append(outcomes, a.Outcome) },
			})
			if err != nil || len(outcomes) != 2 || outcomes[0] != NoAnswer {
				t.Errorf("%v, outcomes %v, want no answer and ready", err, outcomes)
			}
		})
	}
}

// The deadline holds for 100 URLs as for one, on one processor, as the command has. A machine under load may be late
// by itself: the best of some rounds counts.
func TestDeadlineOfManyURLs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const limit, rounds = 50 * time.Millisecond, 20
	refusing := listen(t, "tcp4", "127.0.0.1:0", nil)
	_ = refusing.Close()
	for name, s := range map[string]*server{
		"refused": refusing,
		"503":     answering(t, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", true),
		"hang":    listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) { _, _ = io.Copy(io.Discard, conn) }),
	} {
		cfg := Config{Timeout: 300 * time.Millisecond}
		for n := range 100 {
			cfg.URLs = append(cfg.URLs, "http://localhost:"+strconv.Itoa(s.port())+"/"+strconv.Itoa(n))
		}
		best := time.Hour
		for range rounds {
			var timedOut *TimeoutError
			if err := Wait(t.Context(), cfg); !errors.As(err, &timedOut) || len(timedOut.Pending) != 100 {
				t.Fatalf("%s: got %v, want 100 that are not ready", name, err)
			}
			if best = min(best, timedOut.Elapsed-cfg.Timeout); best <= limit {
				break
			}
		}
		if best > limit {
			t.Errorf("%s: the wait ended %v late, want at most %v", name, best, limit)
		}
	}
}

// The body counts neither for readiness nor for the request timeout.
func TestBodyIsNotAwaited(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		readRequest(conn)
		_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n")
		_, _ = io.Copy(io.Discard, conn)
	})
	if got := attempt(t, 1, Config{URLs: []string{s.url()}}); got.Outcome != Ready {
		t.Errorf("got %v, want ready", got)
	}
}

// A redirect whose Location does not parse is a status like any other, each time.
func TestBrokenLocation(t *testing.T) {
	s := answering(t, "HTTP/1.1 302 Found\r\nLocation: http://%zz/\r\nContent-Length: 0\r\n\r\n", true)
	if got := attempt(t, 3, Config{URLs: []string{s.url()}}); got.Number != 3 || got.Outcome != Unready || got.Cause() != "status 302" {
		t.Errorf("attempt %d: outcome %v (%s), want the third with status 302", got.Number, got.Outcome, got.Cause())
	}
	if n := s.connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// A body of up to 4 KiB is read, which keeps the connection; no more is.
func TestConnectionIsKept(t *testing.T) {
	const requests = 10
	for size, connections := range map[int]int32{0: 1, 4096: 1, 4097: requests} {
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			s := answering(t, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: "+strconv.Itoa(size)+"\r\n\r\n"+strings.Repeat("x", size), true)
			attempt(t, requests, Config{URLs: []string{s.url()}})
			if got := s.connections.Load(); got != connections {
				t.Errorf("%d connections for %d requests, want %d", got, s.requests.Load(), connections)
			}
		})
	}
}

func TestLocalhost(t *testing.T) {
	const ready = "HTTP/1.1 200 OK\r\n\r\n"
	answer := func(conn net.Conn, _ *server) {
		readRequest(conn)
		_, _ = io.WriteString(conn, ready)
	}
	for network, address := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		for _, name := range []string{"localhost", "LOCALHOST", "localhost."} {
			t.Run(name+" on "+network, func(t *testing.T) {
				s := listen(t, network, address, answer)
				url := "http://" + net.JoinHostPort(name, strconv.Itoa(s.port())) + "/"
				if got := attempt(t, 1, Config{URLs: []string{url}}); got.Outcome != Ready {
					t.Errorf("got %v, want ready", got)
				}
			})
		}
	}
	t.Run("nothing listens", func(t *testing.T) {
		s := listen(t, "tcp4", "127.0.0.1:0", answer)
		_ = s.Close()
		got := attempt(t, 1, Config{URLs: []string{"http://localhost:" + strconv.Itoa(s.port())}})
		if got.Outcome != Refused || got.Cause() != "connection refused" {
			t.Errorf("got %v, want connection refused", got)
		}
	})
}

// The resolver is asked for names other than localhost only.
func TestResolver(t *testing.T) {
	asked := false
	resolver := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = resolver })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		asked = true
		return nil, errors.New("no network in this test")
	}}
	for _, host := range []string{"localhost", "LocalHost.", "127.0.0.1", "[::1]"} {
		attempt(t, 1, Config{URLs: []string{"http://" + host + ":1/"}})
		if asked {
			t.Fatalf("a name server is asked for %s, want none", host)
		}
	}
	got := attempt(t, 1, Config{URLs: []string{"http://sidecar.invalid/"}})
	if !asked || got.Outcome != Failed || !strings.HasPrefix(got.Cause(), "looking up the host: ") {
		t.Errorf("got %v after %t, want a name server asked in vain", got, asked)
	}
}
