//go:build linux

package faults

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// endpoint is one that envoy-wait asks.
type endpoint struct {
	t    *testing.T
	port *harness.Port
	url  string
	// connections counts them, from 1 in the first call of serve.
	connections atomic.Int32

	mustBeReady bool        // before the app may start
	ready       atomic.Bool // a genuine 200 is on its way
}

func newEndpoint(t *testing.T, serve func(net.Conn, *endpoint)) *endpoint {
	t.Helper()
	port := harness.NewPort(t)
	e := &endpoint{t: t, port: port, url: port.URL()}
	if serve != nil {
		e.listen(port.Listen(), serve)
	}
	return e
}

// listen serves each connection, and closes it when serve returns.
func (e *endpoint) listen(l net.Listener, serve func(net.Conn, *endpoint)) {
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			e.connections.Add(1)
			go func() {
				defer func() { _ = conn.Close() }()
				serve(conn, e)
			}()
		}
	}()
}

// open listens until the listener is closed.
func (e *endpoint) open(serve func(net.Conn, *endpoint)) net.Listener {
	l, err := e.port.Port.Listen()
	if err != nil {
		panic(err) // there is no test to fail: this is a connection's goroutine
	}
	e.listen(l, serve)
	return l
}

const (
	genuine = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
	unready = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
)

// answer gives each request the same text, on one connection.
func answer(text string) func(net.Conn, *endpoint) {
	return func(conn net.Conn, e *endpoint) {
		for in := bufio.NewReader(conn); readRequest(in); {
			e.ready.Store(e.ready.Load() || text == genuine)
			if _, err := io.WriteString(conn, text); err != nil {
				return
			}
		}
	}
}

// unreadyOnce answers 503 to the first request of each connection, and 200 from then on.
func unreadyOnce(conn net.Conn, _ *endpoint) {
	in := bufio.NewReader(conn)
	for text := unready; readRequest(in); text = genuine {
		if _, err := io.WriteString(conn, text); err != nil {
			return
		}
	}
}

// then reads one request, and does the rest with the connection.
func then(rest func(net.Conn, *endpoint)) func(net.Conn, *endpoint) {
	return func(conn net.Conn, e *endpoint) {
		if readRequest(bufio.NewReader(conn)) {
			rest(conn, e)
		}
	}
}

// readRequest must come before the end of a connection: the kernel resets one that is
// closed with unread bytes.
func readRequest(in *bufio.Reader) bool {
	_, err := http.ReadRequest(in)
	return err == nil
}

// say sends a text, and closes.
func say(text string) func(net.Conn, *endpoint) {
	return then(func(conn net.Conn, _ *endpoint) { _, _ = io.WriteString(conn, text) })
}

// reset sends a text, and resets the connection.
func reset(text string) func(net.Conn, *endpoint) {
	return then(func(conn net.Conn, _ *endpoint) {
		_, _ = io.WriteString(conn, text)
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
}

// hang sends a text, and keeps the connection open.
func hang(text string) func(net.Conn, *endpoint) {
	return then(func(conn net.Conn, _ *endpoint) {
		_, _ = io.WriteString(conn, text)
		_, _ = io.Copy(io.Discard, conn)
	})
}

// drip sends a text, then another one byte at a time. A byte a second would be
// one byte in a wait of a second.
func drip(first, bytes string) func(net.Conn, *endpoint) {
	return then(func(conn net.Conn, _ *endpoint) {
		_, err := io.WriteString(conn, first)
		for i := 0; err == nil && i < len(bytes); i++ {
			_, err = io.WriteString(conn, bytes[i:i+1])
			time.Sleep(min(time.Second, *length/20))
		}
	})
}

// flood sends a text, then another again and again, until the other side closes the
// connection, or after 100 MB.
func flood(first, again string) func(net.Conn, *endpoint) {
	return then(func(conn net.Conn, _ *endpoint) {
		_, err := io.WriteString(conn, first)
		block := strings.Repeat(again, 1+10000/len(again))
		for n := 0; err == nil && n < 100<<20; n += len(block) {
			_, err = io.WriteString(conn, block)
		}
	})
}

// readyBefore serves a genuine 200.
func readyBefore(serve func(net.Conn, *endpoint)) func(net.Conn, *endpoint) {
	return func(conn net.Conn, e *endpoint) {
		e.ready.Store(true)
		serve(conn, e)
	}
}

// gzipBomb is 100 MB of nothing in 100 KB.
func gzipBomb() string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	for range 100 {
		_, _ = w.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	return b.String()
}

func TestEndpointFaults(t *testing.T) {
	const (
		ok   = "HTTP/1.1 200 OK\r\n"
		busy = "HTTP/1.1 503 Service Unavailable\r\n"
	)
	bomb := "Content-Encoding: gzip\r\n\r\n" + gzipBomb()
	check(t, "endpoint, never ready", []fault{
		{name: "nothing listens"},
		{name: "accepts and never answers", serve: hang("")},
		{name: "closes at once", serve: func(net.Conn, *endpoint) {}},
		{name: "closes every connection after the request", serve: say("")},
		{name: "reset after accept", serve: func(conn net.Conn, _ *endpoint) { _ = conn.(*net.TCPConn).SetLinger(0) }},
		{name: "reset in the middle of headers", serve: reset(ok + "X: y\r\nZ")},
		{name: "closes in the middle of headers", serve: say(ok + "Content-Length: 0\r\n")},
		{name: "reset in the middle of the body of a 503", serve: reset(busy + "Content-Length: 100\r\n\r\nx")},
		{name: "shuts down its side at once", serve: func(conn net.Conn, _ *endpoint) {
			_ = conn.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, conn)
		}},
		{name: "drips bytes in the status line", serve: drip("", "HTTP/1.1 200"+strings.Repeat(" ", 1<<12))},
		{name: "drips bytes in the headers", serve: drip(ok, "X: "+strings.Repeat("x", 1<<12))},
		{name: "drips bytes in the body of a 503", serve: drip(busy+"Content-Length: 4096\r\n\r\n", strings.Repeat("x", 4096))},
		{name: "stops in the status line", serve: hang("HTTP/1.1 20")},
		{name: "stops before the end of headers", serve: hang(ok + "Content-Length: 0\r\n")},
		{name: "status line without end", serve: flood("HTTP/1.1 200 ", "OK")},
		{name: "headers without end", serve: flood(ok, "X: y\r\n")},
		{name: "one header without end", serve: flood(ok+"X: ", "xxxx")},
		{name: "a header of 10 MB", serve: say(ok + "X: " + strings.Repeat("x", 10<<20) + "\r\n\r\n")},
		{name: "body of a 503 without end", serve: flood(busy+"\r\n", "xxxx")},
		{name: "chunked body of a 503 without end", serve: flood(busy+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n")},
		{name: "one chunk without end", serve: flood(busy+"Transfer-Encoding: chunked\r\n\r\n7fffffffffffffff\r\n", "xxxx")},
		{name: "chunk extensions without end", serve: flood(busy+"Transfer-Encoding: chunked\r\n\r\n1", ";x=y")},
		{name: "1xx answers without end", serve: flood("", "HTTP/1.1 103 Early Hints\r\n\r\n")},
		{name: "100 Continue and nothing more", serve: hang("HTTP/1.1 100 Continue\r\n\r\n")},
		{name: "101 Switching Protocols", serve: hang("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n")},
		{name: "gzip bomb in a 503", serve: say(busy + bomb)},
		{name: "garbage without end", serve: flood("", "\x00\xff\n")},
		{name: "zeros without end", serve: flood("", "\x00")},
		{name: "HTTP/0.9", serve: say("<html>200 OK</html>")},
		{name: "another protocol: SSH", serve: say("SSH-2.0-OpenSSH_9.2\r\n")},
		{name: "another protocol: ICY 200 OK", serve: say("ICY 200 OK\r\n\r\n")},
		{name: "HTTP/2 preface only", serve: hang("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
		{name: "HTTP/2 settings frame only", serve: hang("\x00\x00\x00\x04\x00\x00\x00\x00\x00")},
		{name: "a status of four digits", serve: answer("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n")},
		{name: "a status with letters", serve: answer("HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n")},
		{name: "TLS on a plain port", serve: answer(genuine), setUp: func(_ *testing.T, e *endpoint, _ *start) {
			e.url = strings.Replace(e.url, "http:", "https:", 1)
		}},
		{name: "TLS handshake that hangs", serve: func(conn net.Conn, _ *endpoint) { _, _ = io.Copy(io.Discard, conn) }, setUp: func(_ *testing.T, e *endpoint, _ *start) {
			e.url = strings.Replace(e.url, "http:", "https:", 1)
		}},
		{name: "a plain request to a TLS port", setUp: func(_ *testing.T, e *endpoint, _ *start) {
			e.url = strings.Replace(harness.TLSServer(e.t, nil).URL, "https:", "http:", 1)
		}},
		{name: "a certificate that nobody signed", setUp: func(_ *testing.T, e *endpoint, _ *start) { e.url = harness.TLSServer(e.t, nil).URL }},
		{name: "204", serve: answer("HTTP/1.1 204 No Content\r\n\r\n")},
		{name: "206", serve: answer("HTTP/1.1 206 Partial Content\r\nContent-Length: 0\r\n\r\n")},
		{name: "401", serve: answer("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n")},
		{name: "404", serve: answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")},
		{name: "500 with a body that looks like 200", serve: answer("HTTP/1.1 500 Oops\r\nContent-Length: 38\r\n\r\n" + genuine)},
		{name: "redirect to itself", serve: then(func(conn net.Conn, e *endpoint) {
			_, _ = io.WriteString(conn, redirectTo(e.url))
		})},
		{name: "redirect to a port that answers 200", setUp: redirectElsewhere},
		{name: "an answer before any request", serve: func(conn net.Conn, _ *endpoint) {
			_, _ = io.WriteString(conn, unready+genuine)
			_, _ = io.Copy(io.Discard, conn)
		}},
		{name: "200 smuggled behind a 503", serve: answer(unready + genuine)},
		{name: "200 smuggled behind a short body", serve: answer(busy + "Content-Length: 1\r\n\r\nx" + genuine)},
		{name: "closes a kept connection without a word", serve: then(func(conn net.Conn, _ *endpoint) {
			_, _ = io.WriteString(conn, busy+"Connection: keep-alive\r\nContent-Length: 0\r\n\r\n")
		})},
		{name: "a backlog that is full", setUp: fullBacklog},
		{name: "one of two endpoints hangs", serve: hang(""), setUp: func(t *testing.T, _ *endpoint, how *start) {
			how.args = append(how.args, "--url", newEndpoint(t, answer(genuine)).url)
		}},
	}, false)

	check(t, "endpoint, becomes ready", []fault{
		{name: "drips bytes in the body", ready: true, serve: readyBefore(drip(ok+"Content-Length: 4096\r\n\r\n", strings.Repeat("x", 4096)))},
		{name: "body without end", ready: true, serve: readyBefore(flood(ok+"\r\n", "xxxx"))},
		{name: "chunked body without end", ready: true, serve: readyBefore(flood(ok+"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"))},
		{name: "gzip bomb", ready: true, serve: readyBefore(say(ok + bomb))},
		{name: "Content-Length longer than the body", ready: true, serve: readyBefore(say(ok + "Content-Length: 100\r\n\r\nx"))},
		{name: "Content-Length shorter than the body", ready: true, serve: readyBefore(say(ok + "Content-Length: 1\r\n\r\nxyz"))},
		{name: "reset in the middle of the body", ready: true, serve: readyBefore(then(func(conn net.Conn, _ *endpoint) {
			_, _ = io.WriteString(conn, ok+"Content-Length: 100\r\n\r\nx")
			_, _ = io.Copy(io.Discard, conn) // until the other side has read all: a reset drops the rest
			_ = conn.(*net.TCPConn).SetLinger(0)
		}))},
		{name: "200 after informational answers", ready: true, serve: readyBefore(say(strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 3) + genuine))},
		{name: "503 with Retry-After of a day, then 200", ready: true, serve: inTurn("HTTP/1.1 503 Busy\r\nRetry-After: 86400\r\nContent-Length: 0\r\n\r\n", 3)},
		{name: "404, then 200", ready: true, serve: inTurn("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 3)},
		{name: "hangs at first, then 200", ready: true, setUp: func(_ *testing.T, _ *endpoint, how *start) {
			how.args = append(how.args, "--request-timeout", "200ms")
		}, serve: func(conn net.Conn, e *endpoint) {
			if e.connections.Load() <= 2 {
				_, _ = io.Copy(io.Discard, conn)
				return
			}
			answer(genuine)(conn, e)
		}},
		{name: "garbage at first, then 200", ready: true, serve: func(conn net.Conn, e *endpoint) {
			if e.connections.Load() <= 3 {
				say("\x00\xff\n")(conn, e)
				return
			}
			answer(genuine)(conn, e)
		}},
		{name: "flaps 503, refused, reset at random, 200 once", ready: true, setUp: flapping},
		{name: "a port that changes owner", ready: true, setUp: changingOwner},
	}, false)
}

// inTurn answers n requests with a text, then 200.
func inTurn(text string, n int32) func(net.Conn, *endpoint) {
	var requests atomic.Int32
	return func(conn net.Conn, e *endpoint) {
		for in := bufio.NewReader(conn); readRequest(in); {
			next := text
			if requests.Add(1)%(n+1) == 0 {
				e.ready.Store(true)
				next = genuine
			}
			if _, err := io.WriteString(conn, next); err != nil {
				return
			}
		}
	}
}

func redirectTo(url string) string {
	return "HTTP/1.1 307 Temporary Redirect\r\nLocation: " + url + "\r\nContent-Length: 0\r\n\r\n"
}

func redirectElsewhere(t *testing.T, e *endpoint, _ *start) {
	elsewhere := newEndpoint(t, answer(genuine))
	e.listen(e.port.Listen(), answer(redirectTo(elsewhere.url)))
	t.Cleanup(func() {
		if n := elsewhere.connections.Load(); n != 0 {
			t.Errorf("got %d connections to the target of the redirect, want none", n)
		}
	})
}

func fullBacklog(t *testing.T, e *endpoint, _ *start) { fill(t, e.port.Listen()) }

// fill fills the queue of l, so that the kernel drops each SYN.
func fill(t *testing.T, l net.Listener) {
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err == nil {
		err = errors.Join(raw.Control(func(fd uintptr) { err = unix.Listen(int(fd), 0) }), err)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		conn, err := net.DialTimeout("tcp", l.Addr().String(), 100*time.Millisecond)
		if err != nil {
			return
		}
		t.Cleanup(func() { _ = conn.Close() })
	}
	t.Fatal("got ten connections, want a queue that is full")
}

// flapping refuses, answers 503 and resets at random, for random moments. Then it is
// ready for a single request.
func flapping(t *testing.T, e *endpoint, _ *start) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			serve := []func(net.Conn, *endpoint){nil, say(unready), reset("")}[random.IntN(3)]
			if n == 5 {
				serve = once(genuine)
			}
			var l net.Listener
			if serve != nil {
				l = e.open(serve)
			}
			moment := time.Duration(1+random.IntN(40)) * time.Millisecond
			if n == 5 {
				moment = 10 * time.Second // for one request at least
			}
			select {
			case <-time.After(moment):
			case <-done:
				return
			}
			if l != nil {
				_ = l.Close()
			}
		}
	}()
	t.Cleanup(func() { close(done); <-stopped })
}

// once answers one request, and all after it 503.
func once(text string) func(net.Conn, *endpoint) {
	var asked atomic.Bool
	return func(conn net.Conn, e *endpoint) {
		for in := bufio.NewReader(conn); readRequest(in); {
			next := unready
			if !asked.Swap(true) {
				e.ready.Store(true)
				next = text
			}
			if _, err := io.WriteString(conn, next); err != nil {
				return
			}
		}
	}
}

// changingOwner is a port that belongs to another program for the first two requests.
func changingOwner(t *testing.T, e *endpoint, _ *start) {
	handedOver := make(chan net.Listener, 1)
	first := make(chan net.Listener, 1)
	first <- e.open(func(conn net.Conn, _ *endpoint) {
		if e.connections.Load() == 2 {
			_ = (<-first).Close()
			handedOver <- e.open(answer(genuine))
		}
		say("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")(conn, e)
	})
	t.Cleanup(func() {
		select {
		case l := <-handedOver:
			_ = l.Close()
		default:
			t.Error("got one owner of the port, want two")
		}
	})
}
