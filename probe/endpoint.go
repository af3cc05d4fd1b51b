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
)

// endpoint is a URL taken apart.
type endpoint struct {
	scheme  string
	address string // host:port, or the path of a socket or file
	request string // the URL of an HTTP request, where isHTTP
	isHTTP  bool   // there is a status to judge
}

// errReady is what a transport without HTTP returns where the endpoint is ready: there is no response to return.
var errReady = errors.New("ready")

// transport returns what makes an attempt at e. It is a RoundTripper whatever the scheme, so that one retry loop
// serves all.
func (e endpoint) transport(p policy) http.RoundTripper {
	d := dialer{net.Dialer{KeepAlive: -1, Control: control}, min(250*time.Millisecond, p.RequestTimeout/2)}
	switch {
	case e.scheme == "file":
		return &file{check: func() error { return checkFile(e.address) }}
	case e.scheme == "unix" && e.isHTTP:
		return overHTTP(p, func(ctx context.Context, _, _ string) (net.Conn, error) { return d.dial(ctx, "unix", e.address) })
	case e.isHTTP:
		return overHTTP(p, d.dial)
	default:
		network := e.scheme // tcp or unix
		return connects(func(ctx context.Context) (net.Conn, error) { return d.dial(ctx, network, e.address) })
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

// connects is ready where a connection is accepted.
type connects func(context.Context) (net.Conn, error)

func (dial connects) RoundTrip(req *http.Request) (*http.Response, error) {
	conn, err := dial(req.Context())
	if err == nil {
		err = conn.Close()
	}
	return nil, cmp.Or(err, errReady)
}

// file is ready where there is a file with something in it. The kernel may never return from a look at a file system
// that hangs, and each look keeps a thread: so the next attempt waits for the look that is under way.
type file struct {
	check func() error
	look  chan error // the look under way, or nil
}

func (f *file) RoundTrip(req *http.Request) (*http.Response, error) {
	if f.look == nil {
		look := make(chan error, 1)
		go func() { look <- f.check() }()
		f.look = look
	}
	select {
	case err := <-f.look:
		f.look = nil
		return nil, cmp.Or(err, errReady)
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}

func checkFile(path string) error {
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
	host, port, err := net.SplitHostPort(address)
	if network != "tcp" || err != nil || !isLocalhost(host) {
		return d.DialContext(ctx, network, address)
	}
	return d.localhost(ctx, port)
}

// localhost connects to 127.0.0.1, and to ::1 as soon as 127.0.0.1 has failed or was silent. The first of them that
// accepts counts. Where both fail and one has refused, or where ::1 is silent after 127.0.0.1 has refused, the error is
// that refusal.
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
