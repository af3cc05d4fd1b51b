//go:build linux

package e2e

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// client is one connection to a sidecar.
type client struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dial(t *testing.T, address string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(harness.Patience))
	return &client{t, conn, bufio.NewReader(conn)}
}

var dateLine = regexp.MustCompile(`Date: [^\r]+ GMT\r\n`)

// want sends a request, and compares all of the answer but its date.
func (c *client) want(method, path, answer string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, method+" "+path+" HTTP/1.1\r\nHost: localhost:15020\r\n\r\n"); err != nil {
		c.t.Fatal(err)
	}
	var got strings.Builder
	in := bufio.NewReader(io.TeeReader(c.in, &got))
	resp, err := http.ReadResponse(in, nil)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
	}
	if err != nil {
		c.t.Fatal(err)
	}
	text := dateLine.ReplaceAllString(got.String(), "Date\r\n")
	harness.Want(c.t, method+" "+path, strings.ReplaceAll(text, "\r\n", "\n"), answer)
}

const (
	answer503 = "HTTP/1.1 503 Service Unavailable\nVary: Accept-Encoding\nDate\nContent-Length: 0\n\n"
	answer200 = "HTTP/1.1 200 OK\nVary: Accept-Encoding\nDate\nContent-Length: 0\n\n"
	plainText = "Content-Type: text/plain; charset=utf-8\n"
	errorText = plainText + "X-Content-Type-Options: nosniff\nDate\n"
)

// The stand-in answers as pilot-agent does.
func TestStandIn(t *testing.T) {
	port := harness.NewPort(t)
	s := port.Sidecar(false)
	c := dial(t, port.Address)
	c.want("GET", sidecar.Path, answer503)
	c.want("DELETE", sidecar.Path, answer503)
	s.SetReady(true)
	c.want("GET", sidecar.Path, answer200)
	c.want("POST", sidecar.Path, answer200)
	c.want("GET", sidecar.Path+"/", "HTTP/1.1 404 Not Found\n"+errorText+"Content-Length: 19\n\n404 page not found\n")
	c.want("POST", "/"+sidecar.Path, "HTTP/1.1 307 Temporary Redirect\nLocation: "+sidecar.Path+"\nDate\nContent-Length: 0\n\n")
	c.want("GET", sidecar.QuitPath, "HTTP/1.1 405 Method Not Allowed\n"+errorText+"Content-Length: 19\n\nMethod Not Allowed\n")
	c.want("POST", sidecar.QuitPath, "HTTP/1.1 200 OK\nDate\nContent-Length: 2\n"+plainText+"\nOK")
	harness.Want(t, "probes", s.Requests(), 4)
	harness.Want(t, "requests to quit", s.Quits(), 1)
	harness.Want(t, "connections", s.Connections(), 1)
}

// Only the Pod itself may tell the sidecar to quit.
func TestStandInRefusesOthers(t *testing.T) {
	harness.InNetwork(t, func() {
		s := sidecar.New(true)
		l, err := net.Listen("tcp", ":15020")
		if err != nil {
			t.Error(err)
			return
		}
		defer s.Close()
		go func() { _ = s.Serve(l) }()
		dial(t, "10.1.2.3:15020").want("POST", sidecar.QuitPath, "HTTP/1.1 403 Forbidden\n"+errorText+
			"Content-Length: 41\n\nOnly requests from localhost are allowed\n")
		harness.Want(t, "requests to quit", s.Quits(), 0)
	})
}

// The stand-in as a process: it refuses, answers 503, then 200, and quits.
func TestStandInProcess(t *testing.T) {
	harness.InNetwork(t, func() {
		s := harness.StartSidecar(t, exec.Command(harness.SidecarProgram(t)))
		wantRefused(t, "127.0.0.1:15020")
		s.Listen()
		c := dial(t, "127.0.0.1:15020")
		c.want("GET", sidecar.Path, answer503)
		s.BecomeReady()
		c.want("GET", sidecar.Path, answer200)
		c.want("POST", sidecar.QuitPath, "HTTP/1.1 200 OK\nDate\nContent-Length: 2\n"+plainText+"\nOK")
		s.Result().WantCode(t, 0)
		wantRefused(t, "127.0.0.1:15020")
	})
}

func wantRefused(t *testing.T, address string) {
	t.Helper()
	if conn, err := net.Dial("tcp", address); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s: got %v, %v, want a refusal", address, conn, err)
	}
}
