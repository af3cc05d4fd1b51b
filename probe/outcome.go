package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// Outcome is how one attempt ended. The zero value is none of them.
type Outcome uint8

// How an attempt can end.
const (
	Ready    Outcome = iota + 1 // an accepted status with complete headers; without HTTP what Config.URLs says
	Unready                     // any other status
	Refused                     // connection refused, or a socket or file that is missing or empty: nothing is there
	NoAnswer                    // RequestTimeout cut off the connection or the request, or a Unix socket has no room (EAGAIN)
	NotHTTP                     // an answer that is no HTTP, or TLS on one side only
	Failed                      // everything else: reset, EOF, no such host, no route
)

var outcomes = [...]string{"none", "ready", "unready", "refused", "no answer", "not HTTP", "failed"}

// String returns the outcome in a word or two, such as "no answer".
func (o Outcome) String() string {
	if int(o) >= len(outcomes) {
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
	return outcomes[o]
}

// Attempt is what one attempt at one URL found.
type Attempt struct {
	URL     string        // as configured: it may hold a password, see Redact
	Number  int           // counts the attempts at this URL, from 1
	Elapsed time.Duration // from Config.Start, or the call of Quit, to the end of the attempt
	Outcome Outcome       // how the attempt ended; 0 before the first that says something
	Reached bool          // this attempt or an earlier one at this URL was not Refused
	Status  int           // from 100 to 599, where Outcome is Ready or Unready; 0 without HTTP
	Err     error         // the cause where there is no status, else nil; errors.As finds a syscall.Errno, an x509 error ...
}

// String tells the attempt in one line, without the password of its URL.
func (a Attempt) String() string {
	return fmt.Sprintf("attempt %d after %v: %s: %s", a.Number, a.Elapsed.Round(time.Millisecond), Redact(a.URL), a.Cause())
}

// Cause is the outcome in a few words, such as "connection refused" or "status 503". It reads the same each time: it has
// no source port and no time of day in it.
func (a Attempt) Cause() string {
	switch {
	case a.Err != nil:
		return a.Err.Error()
	case a.Status != 0:
		return fmt.Sprintf("status %d", a.Status)
	case a.Outcome == Ready:
		return "ready"
	case a.Number == 0:
		return "no attempt yet"
	default:
		return "no attempt was completed"
	}
}

// TimeoutError is what Wait returns when a deadline passed before every endpoint was ready, or when AbsentAfter or
// Once ended the wait. It wraps context.DeadlineExceeded and the last causes.
type TimeoutError struct {
	Absent   bool          // Config.AbsentAfter ended the wait
	Once     bool          // Config.Once did
	Refused  bool          // every attempt at every URL was Refused
	Elapsed  time.Duration // from Config.Start to the end of the wait
	Attempts int           // all of them, at all URLs
	Pending  []Attempt     // the last attempt at each URL that was not ready, in the order of Config.URLs; never empty
}

// Error names every endpoint that was not ready, with its own last cause.
func (e *TimeoutError) Error() string {
	causes := make([]string, len(e.Pending))
	for i, a := range e.Pending {
		causes[i] = Redact(a.URL) + ": " + a.Cause()
	}
	return fmt.Sprintf("not ready after %v: %s", e.Elapsed.Round(time.Millisecond), strings.Join(causes, "; "))
}

// Unwrap lets errors.Is find context.DeadlineExceeded and the last causes, such as syscall.ECONNREFUSED.
func (e *TimeoutError) Unwrap() []error {
	errs := []error{context.DeadlineExceeded}
	for _, a := range e.Pending {
		if a.Err != nil {
			errs = append(errs, a.Err)
		}
	}
	return errs
}

var (
	// errNoAnswer is the cause of every NoAnswer, wherever the time went.
	errNoAnswer error = &cause{"no answer in time", context.DeadlineExceeded}
	// errClosed is the cause where the other side ended the connection (EOF).
	errClosed = errors.New("connection closed without a complete answer")
)

// cause is an error in words of our own.
type cause struct {
	text    string
	wrapped error
}

func (c *cause) Error() string { return c.text }
func (c *cause) Unwrap() error { return c.wrapped }

// classify sorts the error of one attempt. Its own error is the cause alone, without what changes from attempt to attempt
// (source port, time of day, name server), and without the URL.
func classify(err error) (Outcome, error) {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL
	}
	var errno syscall.Errno
	var timeout net.Error
	var dns *net.DNSError
	var invalid x509.CertificateInvalidError
	var op *net.OpError
	var record tls.RecordHeaderError
	switch {
	case errors.Is(err, errReady):
		return Ready, nil
	case errors.As(err, &errno) && (errno == syscall.ECONNREFUSED || errno == syscall.ENOENT):
		return Refused, errno
	case errors.Is(err, errEmpty):
		return Refused, errEmpty
	case errors.As(err, &dns):
		words := strings.Split(dns.Err, ": ") // such as "read udp 127.0.0.1:40000->127.0.0.1:53: read: connection refused"
		return Failed, &cause{"looking up the host: " + words[len(words)-1], dns}
	case errors.Is(err, context.Canceled), errors.As(err, &timeout) && timeout.Timeout():
		return NoAnswer, errNoAnswer
	case errors.As(err, &errno):
		return Failed, errno
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return Failed, errClosed
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return Failed, &cause{fmt.Sprintf("certificate has expired or is not yet valid: it is valid from %s to %s",
			invalid.Cert.NotBefore.Format(time.RFC3339), invalid.Cert.NotAfter.Format(time.RFC3339)), err}
	case errors.As(err, &op) && op.Net != "":
		return Failed, brief(op.Err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch),
		// net/http has no type for these: its transport.go and readResponse use fmt.Errorf and badStringError.
		strings.Contains(err.Error(), "malformed"), strings.Contains(err.Error(), "headers exceeded"):
		return NotHTTP, brief(err)
	default:
		return Failed, brief(err)
	}
}

// brief keeps what the other side sent, and net/http quotes, from filling a log.
func brief(err error) error {
	const limit = 160
	if text := err.Error(); len(text) > limit {
		return &cause{strings.ToValidUTF8(text[:limit], "") + "...", err}
	}
	return err
}
