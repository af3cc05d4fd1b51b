package probe

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxHeaderBytes bounds the headers of an answer, 1xx answers included.
	maxHeaderBytes = 16 << 10
	// drainTimeout bounds the reading of a body, which serves only to keep the
	// connection. It is the shortest pause after an HTTP answer.
	drainTimeout = 100 * time.Millisecond
)

// attemptTransport bounds each attempt from connecting to the end of the
// headers, and what is read of the body after that. http.Client.Timeout would
// count the body as part of the attempt.
//
// It connects by itself, before http.Transport comes into play: there a
// goroutine and four switches between goroutines go with each connection, and
// most attempts are refused ones.
type attemptTransport struct {
	http    *http.Transport
	dial    func(ctx context.Context) (net.Conn, error)
	timeout time.Duration

	mu    sync.Mutex // http.Transport asks for connections in goroutines of its own
	last  *connection
	taken bool // http.Transport has the last one
}

// connection knows when it is closed, by us or by http.Transport.
type connection struct {
	net.Conn
	closed atomic.Bool
}

func (c *connection) Close() error {
	c.closed.Store(true)
	return c.Conn.Close()
}

func newAttemptTransport(dial func(context.Context) (net.Conn, error), timeout time.Duration) *attemptTransport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	t := &attemptTransport{dial: dial, timeout: timeout}
	t.http = &http.Transport{
		Proxy:                  nil, // a sidecar is never behind one
		DialContext:            t.connection,
		Protocols:              http1,
		MaxIdleConns:           1,
		DisableCompression:     true, // or a body would be inflated
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return t
}

// RoundTrip fails with errNoAnswer when the time for one attempt is over.
func (t *attemptTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(t.timeout, func() { cancel(errNoAnswer) })
	resp, err := t.exchange(req.WithContext(ctx))
	if err != nil {
		timer.Stop()
		if errors.Is(context.Cause(ctx), errNoAnswer) {
			err = errNoAnswer
		}
		cancel(nil)
		return nil, err
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// The body is the connection itself, and the context ends no read from it.
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	timer.Reset(drainTimeout)
	resp.Body = &attemptBody{ReadCloser: resp.Body, end: func() { timer.Stop(); cancel(nil) }}
	return resp, nil
}

func (t *attemptTransport) exchange(req *http.Request) (*http.Response, error) {
	t.mu.Lock()
	connected := t.last != nil && !t.last.closed.Load()
	t.mu.Unlock()
	if !connected {
		conn, err := t.dial(req.Context())
		if err != nil {
			return nil, err
		}
		t.mu.Lock()
		t.last, t.taken = &connection{Conn: conn}, false
		t.mu.Unlock()
	}
	return t.http.RoundTrip(req)
}

// connection gives http.Transport the connection that was made for it. A second
// one is wanted where the one that it had kept turned out to be dead.
func (t *attemptTransport) connection(ctx context.Context, _, _ string) (net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == nil || t.taken {
		conn, err := t.dial(ctx)
		if err != nil {
			return nil, err
		}
		t.last = &connection{Conn: conn}
	}
	t.taken = true
	return t.last, nil
}

// CloseIdleConnections leaves no connection open.
func (t *attemptTransport) CloseIdleConnections() {
	t.http.CloseIdleConnections()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil && !t.taken {
		_ = t.last.Close()
	}
}

// attemptBody frees what its attempt holds when it is closed.
type attemptBody struct {
	io.ReadCloser
	end func()
}

func (b *attemptBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
