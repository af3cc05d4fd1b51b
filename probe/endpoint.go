package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// maxHeaderBytes bounds the headers of an answer, 1xx answers included.
const maxHeaderBytes = 16 << 10

var (
	errEmpty      = errors.New("the file is empty")
	errNotRegular = errors.New("not a regular file")
	// errReady is what the transport of an endpoint without HTTP returns where the endpoint is ready: there is no
	// response to return.
	errReady = errors.New("ready")
)

// endpoint is a URL taken apart.
type endpoint struct {
	scheme  string
	address string // host:port, or the path of a socket or file
	request string // the URL of an HTTP request, where isHTTP
	isHTTP  bool   // there is a status to judge
}

// transport returns what makes an attempt at e. It is a RoundTripper whatever the scheme, so that one retry loop
// serves all.
func (e endpoint) transport(p policy) http.RoundTripper {
	d := dialer{net.Dialer{KeepAlive: -1, Control: control}, min(250*time.Millisecond, p.RequestTimeout/2)}
	dial := d.dial
	if e.scheme == "unix" {
		dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", e.address) }
	}
	switch {
	case e.isHTTP:
		return overHTTP(p, dial)
	case e.scheme == "file":
		return oneAtATime(func() error { return lookAtFile(e.address) })
	default:
		return look(func(ctx context.Context) error {
			conn, err := dial(ctx, "tcp", e.address)
			if err == nil {
				err = conn.Close()
			}
			return err
		})
	}
}

func overHTTP(p policy, dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Transport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // a sidecar is never behind one
		DialContext:            dial,
		TLSClientConfig:        &tls.Config{RootCAs: p.RootCAs},
		Protocols:              http1,
		MaxIdleConns:           1,
		DisableCompression:     true, // or a body would be inflated
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
}

// look is the transport of an endpoint without HTTP. It returns nil where the endpoint is ready.
type look func(context.Context) error

func (l look) RoundTrip(req *http.Request) (*http.Response, error) {
	return nil, cmp.Or(l(req.Context()), errReady)
}

// oneAtATime makes a look of one that has no context. The kernel may never return from a file system that hangs, and
// that keeps a thread: so the next attempt waits for the look that is under way.
func oneAtATime(lookNow func() error) look {
	var underWay chan error
	return func(ctx context.Context) error {
		if underWay == nil {
			result := make(chan error, 1)
			go func() { result <- lookNow() }()
			underWay = result
		}
		select {
		case err := <-underWay:
			underWay = nil
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// lookAtFile returns nil where there is a file with something in it.
func lookAtFile(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errNotRegular
	case info.Size() == 0:
		return errEmpty
	default:
		return nil
	}
}

// dialer connects to localhost without a resolver: an image made from scratch has no /etc/hosts, and then Go would
// ask a name server, which in a mesh is behind the sidecar.
type dialer struct {
	net.Dialer
	silence time.Duration // what 127.0.0.1 has for itself, and ::1 once 127.0.0.1 has refused
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, port, err := net.SplitHostPort(address); err == nil && isLocalhost(host) {
		return d.localhost(ctx, port)
	}
	return d.DialContext(ctx, network, address)
}

// localhost connects to 127.0.0.1, and to ::1 as soon as 127.0.0.1 has failed or was silent. The first that accepts
// counts. The error is a refusal if one of them refuses and the other fails, or if ::1 is silent after 127.0.0.1 has
// refused.
func (d dialer) localhost(ctx context.Context, port string) (net.Conn, error) {
	dials, cancel := context.WithCancel(context.WithoutCancel(ctx)) // so that none fails by the deadline alone
	defer cancel()                                                  // gives up the other one
	type dialed struct {
		host string
		conn net.Conn
		err  error
	}
	results := make(chan dialed)
	dial := func(host string) {
		conn, err := d.DialContext(dials, "tcp", net.JoinHostPort(host, port))
		select {
		case results <- dialed{host, conn, err}:
		case <-dials.Done():
			if err == nil {
				_ = conn.Close()
			}
		}
	}
	go dial("127.0.0.1")
	silence := time.NewTimer(d.silence)
	defer silence.Stop()
	var second sync.Once
	var cause error
	for failed := 0; failed < 2; second.Do(func() { go dial("::1") }) {
		select {
		case r := <-results:
			if r.err == nil {
				return r.conn, nil
			}
			failed++
			if cause == nil || errors.Is(r.err, syscall.ECONNREFUSED) {
				cause = r.err
			}
			if r.host == "127.0.0.1" {
				silence.Reset(d.silence)
			}
		case <-silence.C:
			if errors.Is(cause, syscall.ECONNREFUSED) {
				return nil, cause
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return nil, cause
}

// isLocalhost reports whether host is the name that RFC 6761 section 6.3 binds to the loopback addresses.
func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
