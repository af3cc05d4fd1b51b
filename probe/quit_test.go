package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// quitResults returns the result for each URL.
func quitResults(ctx context.Context, t *testing.T, cfg QuitConfig) (map[string]Attempt, error) {
	t.Helper()
	results := map[string]Attempt{}
	cfg.OnResult = func(a Attempt) {
		if _, ok := results[a.URL]; ok {
			t.Errorf("got a second result for %s, want one", a.URL)
		}
		results[a.URL] = a
	}
	err := Quit(ctx, cfg)
	return results, err
}

// One attempt is made where the request was sent, and all URLs are told side by
// side.
func TestQuitAnswers(t *testing.T) {
	const empty = "\r\nContent-Length: 0\r\n\r\n"
	want := map[string]Outcome{
		"HTTP/1.1 200 OK" + empty: Ready, "HTTP/1.1 202 Accepted" + empty: Ready,
		"HTTP/1.1 404 Not Found" + empty: Unready, "HTTP/1.1 405 No" + empty: Unready, "HTTP/1.1 301 Moved\r\nLocation: /" + empty: Unready,
		"SSH-2.0-OpenSSH_9.2\r\n": NotHTTP,
	}
	servers := map[string]*server{}
	var cfg QuitConfig
	for answer := range want {
		servers[answer] = answering(t, answer, false)
		cfg.URLs = append(cfg.URLs, servers[answer].url())
	}
	results, err := quitResults(t.Context(), t, cfg)
	for answer, outcome := range want {
		s := servers[answer]
		if got := results[s.url()]; got.Outcome != outcome || got.Number != 1 || s.requests.Load() != 1 {
			t.Errorf("%q: got %v after %d requests, want %v after 1", answer, got, s.requests.Load(), outcome)
		}
		if named := err != nil && strings.Contains(err.Error(), s.url()); named != (outcome != Ready) {
			t.Errorf("%q: got the error %v, want %s named %t", answer, err, s.url(), outcome != Ready)
		}
	}
}

// A connection that ends before the request was sent, here in the TLS handshake,
// says nothing: it is tried again.
func TestQuitBeforeTheRequestIsSent(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		_, _ = conn.Read(make([]byte, 1<<16)) // the client's hello, all of it
	})
	url := strings.Replace(s.url(), "http", "https", 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		for s.connections.Load() < 3 {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	results, err := quitResults(ctx, t, QuitConfig{URLs: []string{url}, Timeout: time.Minute})
	if got := results[url]; got.Outcome != Failed || err == nil {
		t.Errorf("got %v, %v, want it to fail", got, err)
	}
}

// A connection that is reset, or that a sidecar ends while it may only be starting, says nothing either. The sidecar was
// told when it then answers, or when it ended one and refuses the next.
func TestQuitIsTriedAgain(t *testing.T) {
	reset := func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) }
	end := func(net.Conn) {}
	half := func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n") }
	oops := func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 503 Oops\r\nContent-Length: 0\r\n\r\n") }
	ok := func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
	for name, test := range map[string]struct {
		answers []func(net.Conn) // after the last it refuses
		outcome Outcome
		status  int
	}{
		"resets, then answers":  {[]func(net.Conn){reset, reset, ok}, Ready, 200},
		"ends, then answers":    {[]func(net.Conn){end, half, ok}, Ready, 200},
		"is not up yet":         {[]func(net.Conn){oops, oops, ok}, Ready, 200},
		"is not up, then gone":  {[]func(net.Conn){oops}, Refused, 0},
		"ends, then is gone":    {[]func(net.Conn){end}, Ready, 0},
		"breaks off, is gone":   {[]func(net.Conn){reset, half}, Ready, 0},
		"ends, resets, is gone": {[]func(net.Conn){end, reset}, Ready, 0},
		"resets, then is gone":  {[]func(net.Conn){reset}, Refused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, s *server) {
				readRequest(conn)
				i := int(s.connections.Load())
				if i == len(test.answers) {
					_ = s.Close()
				}
				test.answers[i-1](conn)
			})
			refused := 0
			results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{s.url()}, MayBeStarting: true, Timeout: time.Minute, Retry: func() bool {
				if int(s.connections.Load()) == len(test.answers) {
					refused++
				}
				return refused < 3
			}})
			got := results[s.url()]
			if got.Outcome != test.outcome || got.Status != test.status || int(s.connections.Load()) != len(test.answers) || (err == nil) != (test.outcome == Ready) {
				t.Errorf("got %v (%v) after %d connections, %v, want %v after %d", got, got.Outcome, s.connections.Load(), err, test.outcome, len(test.answers))
			}
		})
	}
}

// A status of 5xx is what remains where the time ends.
func TestQuitOfASidecarThatIsNeverUp(t *testing.T) {
	s := answering(t, "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", true)
	results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{s.url()}, Timeout: 500 * time.Millisecond})
	if got := results[s.url()]; got.Outcome != Unready || got.Status != 500 || got.Number < 2 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, %v, want status 500 by several attempts until the timeout", got, err)
	}
}

// The end of the connection is enough where the sidecar was ready once, or where no second attempt is allowed.
func TestQuitOfASidecarThatEndsTheConnection(t *testing.T) {
	for _, cfg := range []QuitConfig{{}, {MayBeStarting: true, Retry: func() bool { return false }}} {
		s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) { readRequest(conn) })
		cfg.URLs = []string{s.url()}
		results, err := quitResults(t.Context(), t, cfg)
		if got := results[s.url()]; err != nil || got.Outcome != Ready || got.Status != 0 || s.connections.Load() != 1 {
			t.Errorf("got %v after %d connections, %v, want it told after 1", got, s.connections.Load(), err)
		}
	}
}

// Retry is asked after each attempt that told nobody, and for nothing else.
func TestQuitWithoutRetry(t *testing.T) {
	refusing, ready := listen(t, "tcp4", "127.0.0.1:0", nil), answering(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false)
	_ = refusing.Close()
	asked := 0
	results, err := quitResults(t.Context(), t, QuitConfig{
		URLs: []string{refusing.url(), ready.url()}, Timeout: time.Minute,
		Retry: func() bool { asked++; return asked < 3 },
	})
	if got := results[refusing.url()]; got.Outcome != Refused || got.Number != 3 || asked != 3 || err == nil {
		t.Errorf("got %v, asked %d times, %v, want 3 attempts refused", got, asked, err)
	}
	if got := results[ready.url()]; got.Outcome != Ready || got.Number != 1 {
		t.Errorf("got %v, want it told by one attempt", got)
	}
}

// Retry is asked once for each attempt that told nobody, whatever became of its connection.
func TestQuitAsksRetryOnce(t *testing.T) {
	ends := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) { readRequest(conn) })
	resets := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) { _ = conn.(*net.TCPConn).SetLinger(0) })
	for _, s := range []*server{ends, resets} {
		asked := 0
		results, _ := quitResults(t.Context(), t, QuitConfig{
			URLs: []string{s.url()}, MayBeStarting: true, Timeout: time.Minute, Retry: func() bool { asked++; return asked < 3 },
		})
		if got := results[s.url()]; asked != 3 || got.Number != 3 || s.connections.Load() != 3 {
			t.Errorf("asked %d times in %d attempts, %d connections, want 3", asked, got.Number, s.connections.Load())
		}
	}
}

// Every status is final, also that of a redirect that leads nowhere.
func TestQuitOfABrokenRedirect(t *testing.T) {
	s := answering(t, "HTTP/1.1 302 Found\r\nLocation: http://%zz/\r\nContent-Length: 0\r\n\r\n", false)
	results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{s.url()}, Timeout: time.Minute})
	if got := results[s.url()]; got.Outcome != Unready || got.Status != 302 || got.Number != 1 || s.requests.Load() != 1 || err == nil {
		t.Errorf("got %v after %d requests, %v, want status 302 after 1", got, s.requests.Load(), err)
	}
}

func TestQuitTimeout(t *testing.T) {
	hanging := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		readRequest(conn)
		_, _ = conn.Read(make([]byte, 1)) // until the client gives up
	})
	for { // once more where the machine has stopped this process for long
		before := hanging.connections.Load()
		results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{hanging.url()}, Timeout: 50 * time.Millisecond})
		got, connections := results[hanging.url()], hanging.connections.Load()-before
		if got.Outcome == 0 && t.Context().Err() == nil {
			continue
		}
		if got.Outcome != NoAnswer || err == nil || connections != 1 {
			t.Errorf("got %v, %v by %d connections, want no answer by one", got, err, connections)
		}
		return
	}
}

func TestQuitConfigThatCanNeverWork(t *testing.T) {
	const scheme = "the scheme must be http, https or unix"
	for _, test := range []struct {
		cfg  QuitConfig
		want string
	}{
		{QuitConfig{URLs: []string{"tcp://h:1"}}, `probe: QuitConfig.URLs: "tcp://h:1": ` + scheme},
		{QuitConfig{URLs: []string{"file:///x"}}, `probe: QuitConfig.URLs: "file:///x": ` + scheme},
		{QuitConfig{URLs: []string{"unix:///s"}}, `probe: QuitConfig.URLs: "unix:///s": the form is unix:///path/to/socket:/quit`},
		{QuitConfig{URLs: []string{"http://a http://b"}}, `probe: QuitConfig.URLs: "http://a http://b": white space in the URL; separate URLs by commas, write a space as %20`},
		{QuitConfig{URLs: []string{"http://"}}, `probe: QuitConfig.URLs: "http://": the host is missing`},
		{QuitConfig{Timeout: -2}, "probe: QuitConfig.Timeout: -2ns: must be positive, 0 or NoTimeout"},
		{QuitConfig{UserAgent: "a\rb"}, `probe: QuitConfig.UserAgent: "a\rb": must have no control character`},
	} {
		results, err := quitResults(t.Context(), t, test.cfg)
		if err == nil || err.Error() != test.want || len(results) > 0 {
			t.Errorf("got %v after %v, want %s", err, results, test.want)
		}
	}
}

// The error of Quit wraps what each attempt found, and what ended it.
func TestQuitErrorWrapsItsCauses(t *testing.T) {
	refusing := listen(t, "tcp4", "127.0.0.1:0", nil)
	_ = refusing.Close()
	hanging := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) { _, _ = io.Copy(io.Discard, conn) })
	for _, test := range []struct {
		name  string
		cfg   QuitConfig
		wraps []error
		not   error
	}{
		{"refused, once", QuitConfig{URLs: []string{refusing.url()}, Retry: func() bool { return false }}, []error{syscall.ECONNREFUSED}, context.DeadlineExceeded},
		{"refused", QuitConfig{URLs: []string{refusing.url()}, Timeout: 50 * time.Millisecond}, []error{syscall.ECONNREFUSED, context.DeadlineExceeded}, context.Canceled},
		{"no answer", QuitConfig{URLs: []string{hanging.url()}, Timeout: 50 * time.Millisecond}, []error{context.DeadlineExceeded}, context.Canceled},
		{"cancelled", QuitConfig{URLs: []string{refusing.url(), hanging.url()}}, []error{syscall.ECONNREFUSED, context.Canceled}, context.DeadlineExceeded},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		if errors.Is(test.not, context.DeadlineExceeded) {
			time.AfterFunc(100*time.Millisecond, cancel)
		}
		err := Quit(ctx, test.cfg)
		cancel()
		for _, wrapped := range test.wraps {
			if !errors.Is(err, wrapped) {
				t.Errorf("%s: got %v, want it to wrap %v", test.name, err, wrapped)
			}
		}
		if errors.Is(err, test.not) {
			t.Errorf("%s: got %v, want it not to wrap %v", test.name, err, test.not)
		}
		for _, url := range test.cfg.URLs {
			if err == nil || !strings.Contains(err.Error(), url) {
				t.Errorf("%s: got %v, want it to name %s", test.name, err, url)
			}
		}
	}
}
