package probe

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"
)

// quitResults returns the result for each URL.
func quitResults(ctx context.Context, t *testing.T, cfg QuitConfig) (map[string]Attempt, error) {
	t.Helper()
	results := map[string]Attempt{}
	cfg.OnResult = func(a Attempt) {
		if _, ok := results[a.URL]; ok {
			t.Errorf("a second result for %s", a.URL)
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
		"HTTP/1.1 200 OK" + empty: Ready, "HTTP/1.1 202 Accepted" + empty: Ready, "": Ready, "HTTP/1.1 200 OK\r\n": Ready,
		"HTTP/1.1 404 Not Found" + empty: Unready, "HTTP/1.1 503 Oops" + empty: Unready, "HTTP/1.1 301 Moved\r\nLocation: /" + empty: Unready,
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
			t.Errorf("%q: %+v after %d requests, want %d", answer, got, s.requests.Load(), outcome)
		}
		if named := err != nil && strings.Contains(err.Error(), s.url()); named != (outcome != Ready) {
			t.Errorf("%q: the error is %v", answer, err)
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
		t.Errorf("%+v, %v", got, err)
	}
}

// A connection that is reset after the request was sent says nothing either: the sidecar may have had the request in
// its backlog, and never have seen it. Only the end of the connection does.
func TestQuitIsTriedAgainAfterAReset(t *testing.T) {
	s := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, s *server) {
		readRequest(conn)
		if s.connections.Load() <= 3 {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
	})
	results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{s.url()}, Timeout: time.Minute})
	if got := results[s.url()]; err != nil || got.Outcome != Ready || got.Status != 0 || got.Number != 4 || s.connections.Load() != 4 {
		t.Errorf("%+v after %d connections, %v", got, s.connections.Load(), err)
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
		t.Errorf("%+v, asked %d times, %v", got, asked, err)
	}
	if got := results[ready.url()]; got.Outcome != Ready || got.Number != 1 {
		t.Errorf("%+v", got)
	}
}

// Every status is final, also that of a redirect that leads nowhere.
func TestQuitOfABrokenRedirect(t *testing.T) {
	s := answering(t, "HTTP/1.1 302 Found\r\nLocation: http://%zz/\r\nContent-Length: 0\r\n\r\n", false)
	results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{s.url()}, Timeout: time.Minute})
	if got := results[s.url()]; got.Outcome != Unready || got.Status != 302 || got.Number != 1 || s.requests.Load() != 1 || err == nil {
		t.Errorf("%+v after %d requests, %v", got, s.requests.Load(), err)
	}
}

func TestQuitTimeout(t *testing.T) {
	hanging := listen(t, "tcp4", "127.0.0.1:0", func(conn net.Conn, _ *server) {
		readRequest(conn)
		_, _ = conn.Read(make([]byte, 1)) // until the client gives up
	})
	results, err := quitResults(t.Context(), t, QuitConfig{URLs: []string{hanging.url()}, Timeout: 50 * time.Millisecond})
	if got := results[hanging.url()]; got.Outcome != NoAnswer || err == nil || hanging.connections.Load() != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestQuitConfigThatCanNeverWork(t *testing.T) {
	for _, cfg := range []QuitConfig{
		{URLs: []string{"tcp://h:1"}}, {URLs: []string{"file:///x"}}, {URLs: []string{"http://"}}, {Timeout: -1},
	} {
		results, err := quitResults(t.Context(), t, cfg)
		if err == nil || len(results) > 0 {
			t.Errorf("%+v: %v, %v", cfg, results, err)
		}
	}
}
