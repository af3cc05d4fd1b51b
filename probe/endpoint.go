package probe

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"
)

var (
	errEmpty      = errors.New("the file is empty")
	errNotRegular = errors.New("not a regular file")
)

// isHTTP reports whether there is a status to judge.
func (e endpoint) isHTTP() bool { return e.scheme != "tcp" && e.scheme != "file" }

// transport returns what makes an attempt at e. It is a RoundTripper whatever
// the scheme, so that one retry loop serves all: what has no status of its own
// is 200 where it is ready.
func (e endpoint) transport(timeout time.Duration) http.RoundTripper {
	dialer := dialer{net.Dialer{KeepAlive: -1}, timeout / 2}
	dial := func(ctx context.Context) (net.Conn, error) { return dialer.dial(ctx, e.address) }
	switch e.scheme {
	case "unix":
		return newAttemptTransport(func(ctx context.Context) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", e.address)
		}, timeout)
	case "tcp":
		return check{timeout, func(ctx context.Context) error {
			conn, err := dial(ctx)
			if err != nil {
				return err
			}
			return conn.Close()
		}}
	case "file":
		return check{timeout, func(context.Context) error { return checkFile(e.address) }}
	default:
		return newAttemptTransport(dial, timeout)
	}
}

// check is an attempt without HTTP.
type check struct {
	timeout time.Duration
	run     func(context.Context) error
}

// RoundTrip runs the check, and leaves it where it does not return in time: a
// file may be on a server that hangs.
func (c check) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), c.timeout, errNoAnswer)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- c.run(ctx) }()
	select {
	case err := <-result:
		if err != nil {
			return nil, err
		}
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// checkFile returns nil if path is a file with something in it. One that is
// missing or empty counts as refused: nothing is there yet.
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

// nothingThere returns the cause if err says that nothing is there to ask.
func nothingThere(err error) error {
	for _, cause := range []error{syscall.ECONNREFUSED, syscall.ENOENT, errEmpty} {
		if errors.Is(err, cause) {
			return cause
		}
	}
	return nil
}
