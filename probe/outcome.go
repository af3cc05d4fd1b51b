package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Outcome is how one attempt ended. The zero value is none of them.
type Outcome uint8

// How an attempt can end.
const (
	Ready    Outcome = iota + 1 // an accepted status with complete headers; tcp: accepted; file: there, and not empty
	Unready                     // any other status
	Refused                     // connection refused, or a socket or file that is missing or empty: nothing is there
	NoAnswer                    // RequestTimeout cut off the connection or the request
	NotHTTP                     // an answer that is no HTTP, or TLS on one side only
	Failed                      // everything else: reset, EOF, no such host, no route
)

var (
	// errNoAnswer is the cause of every NoAnswer, wherever the time went.
	errNoAnswer = errors.New("no answer in time")
	// errClosed is the cause where the other side ended the connection (EOF).
	errClosed = errors.New("connection closed without a complete answer")
)

// classify sorts the error of one attempt. Its error is the cause alone, without URL, addresses and ephemeral port,
// so that equal causes read alike.
func classify(err error) (Outcome, error) {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	for _, nothing := range []error{syscall.ECONNREFUSED, syscall.ENOENT, errEmpty} {
		if errors.Is(err, nothing) {
			return Refused, nothing
		}
	}
	var errno syscall.Errno
	var timeout net.Error
	var dns *net.DNSError
	switch {
	case errors.Is(err, errReady):
		return Ready, nil
	case errors.As(err, &dns):
		return Failed, errors.New("looking up the host: " + dns.Err)
	case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return NoAnswer, errNoAnswer
	case errors.As(err, &errno):
		return Failed, errno
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Failed, errClosed
	case isNotHTTP(err):
		return NotHTTP, brief(err)
	default:
		return Failed, brief(err)
	}
}

// brief keeps what the other side sent, and net/http quotes, from filling a log.
func brief(err error) error {
	const limit = 160
	if text := err.Error(); len(text) > limit {
		return errors.New(strings.ToValidUTF8(text[:limit], "") + "...")
	}
	return err
}

// isNotHTTP recognizes what net/http says of bytes that are no HTTP answer. It has no type for most of these:
// net/http's transport.go and readResponse make them with fmt.Errorf and badStringError.
func isNotHTTP(err error) bool {
	var record tls.RecordHeaderError
	if errors.As(err, &record) || errors.Is(err, http.ErrSchemeMismatch) {
		return true
	}
	text := err.Error()
	return strings.Contains(text, "malformed") || strings.Contains(text, "headers exceeded")
}
