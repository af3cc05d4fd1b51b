package probe

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// When Wait has returned none of its goroutines is left, whatever the endpoint
// did. Those of net/http, which end on their own, get a moment for it.
func TestNoGoroutineIsLeft(t *testing.T) {
	hang := func(conn net.Conn, _ *server) { _, _ = io.Copy(io.Discard, conn) }
	answer := func(text string) func(net.Conn, *server) {
		return func(conn net.Conn, s *server) {
			readRequest(conn)
			_, _ = io.WriteString(conn, text)
			hang(conn, s)
		}
	}
	flood := func(text string) func(net.Conn, *server) {
		return func(conn net.Conn, _ *server) {
			readRequest(conn)
			for n, err := 0, error(nil); err == nil && n < 1<<14; n++ {
				_, err = io.WriteString(conn, text)
			}
		}
	}
	for name, serve := range map[string]func(net.Conn, *server){
		"ready":                   answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
		"ready, body to come":     answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
		"unready":                 answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"),
		"unready, body to come":   answer("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n"),
		"body without end":        flood("HTTP/1.1 503 Busy\r\n\r\n" + strings.Repeat("x", 1000)),
		"headers without end":     flood("HTTP/1.1 200 OK\r\n"),
		"garbage":                 flood("\x00\xff\n"),
		"switching protocols":     answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"),
		"headers that break off":  answer("HTTP/1.1 200 OK\r\nX: y"),
		"hangs":                   hang,
		"closes":                  func(net.Conn, *server) {},
		"reset":                   func(conn net.Conn, _ *server) { _ = conn.(*net.TCPConn).SetLinger(0) },
		"an informational answer": answer("HTTP/1.1 103 Early Hints\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			s := listen(t, "tcp4", "127.0.0.1:0", serve)
			before := goroutines()
			tls := strings.Replace(s.url(), "http", "https", 1)
			for _, cfg := range []Config{
				{URLs: []string{s.url()}, Timeout: 150 * time.Millisecond},
				{URLs: []string{tls, s.url()}, Timeout: 150 * time.Millisecond, RequestTimeout: 20 * time.Millisecond},
				{URLs: []string{s.url(), "http://127.0.0.1:1/"}, Timeout: time.Minute}, // cancelled
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
				_ = Wait(ctx, cfg)
				cancel()
				if left := ours(before); len(left) > 0 {
					t.Errorf("want no goroutine of ours at the return, got:\n%s", strings.Join(left, "\n\n"))
				}
			}
			var left []string
			for range 1000 {
				if left = newer(before); len(left) == 0 {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("want no goroutine after 10 s, got:\n%s", strings.Join(left, "\n\n"))
		})
	}
}

// goroutines returns the stacks by the number of the goroutine.
func goroutines() map[string]string {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	all := map[string]string{}
	for text := range strings.SplitSeq(string(stacks), "\n\n") {
		number, _, _ := strings.Cut(strings.TrimPrefix(text, "goroutine "), " ")
		all[number] = text
	}
	return all
}

func newer(before map[string]string) (left []string) {
	for number, stack := range goroutines() {
		if _, ok := before[number]; !ok {
			left = append(left, stack)
		}
	}
	return left
}

// ours are those that Wait began itself.
func ours(before map[string]string) (left []string) {
	for _, stack := range newer(before) {
		if strings.Contains(stack, "probe.(*target)") || strings.Contains(stack, "probe.wait") {
			left = append(left, stack)
		}
	}
	return left
}
