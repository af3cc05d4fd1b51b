package probe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOutcomeInWords(t *testing.T) {
	for outcome, want := range map[Outcome]string{0: "none", Ready: "ready", Unready: "unready", Refused: "refused",
		NoAnswer: "no answer", NotHTTP: "not HTTP", Failed: "failed", 99: "Outcome(99)"} {
		if got := outcome.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAttemptInWords(t *testing.T) {
	const url = "http://me:secret@h/ready"
	for want, a := range map[string]Attempt{
		"attempt 3 after 1.235s: http://xxxxx@h/ready: status 503":           {URL: url, Number: 3, Elapsed: 1234567 * time.Microsecond, Outcome: Unready, Status: 503},
		"attempt 1 after 0s: http://xxxxx@h/ready: connection refused":       {URL: url, Number: 1, Outcome: Refused, Err: syscall.ECONNREFUSED},
		"attempt 2 after 0s: http://xxxxx@h/ready: ready":                    {URL: url, Number: 2, Outcome: Ready},
		"attempt 0 after 0s: http://xxxxx@h/ready: no attempt yet":           {URL: url},
		"attempt 1 after 0s: http://xxxxx@h/ready: no attempt was completed": {URL: url, Number: 1},
	} {
		if got := a.String(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// A cause has neither port nor time nor name server in it, so that it reads the same each time.
func TestCausesReadTheSame(t *testing.T) {
	local, remote := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 53}
	lookUp := func(text string) error { return &net.DNSError{Err: text, Name: "h", Server: remote.String()} }
	expired := &x509.Certificate{
		NotBefore: time.Date(2019, 1, 2, 3, 4, 5, 0, time.UTC), NotAfter: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote, Err: os.NewSyscallError("read", syscall.ECONNRESET)}, "connection reset by peer"},
		{&net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote, Err: net.ErrClosed}, "use of closed network connection"},
		{fmt.Errorf("http: %w", &net.OpError{Op: "read", Net: "tcp", Source: local, Addr: remote, Err: net.ErrClosed}), "use of closed network connection"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, "remote error: tls: bad certificate"},
		{lookUp("no such host"), "looking up the host: no such host"},
		{lookUp("server misbehaving"), "looking up the host: server misbehaving"},
		{lookUp("read udp 127.0.0.1:40000->127.0.0.1:53: read: connection refused"), "looking up the host: connection refused"},
		{lookUp("dial udp [::1]:53: connect: network is unreachable"), "looking up the host: network is unreachable"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Cert: expired, Reason: x509.Expired, Detail: "current time 2026-11-27T12:00:00Z is after 2020-01-02T03:04:05Z"}},
			"certificate has expired or is not yet valid: it is valid from 2019-01-02T03:04:05Z to 2020-01-02T03:04:05Z"},
	} {
		if outcome, got := classify(test.err); outcome != Failed || got.Error() != test.want {
			t.Errorf("got %v (%v), want failed (%s)", outcome, got, test.want)
		}
	}
}

// However much a cause is cut, errors.As finds what it was.
func TestCauseKeepsItsType(t *testing.T) {
	expired := x509.CertificateInvalidError{Cert: &x509.Certificate{}, Reason: x509.Expired}
	unknown := x509.UnknownAuthorityError{}
	_, cause := classify(&tls.CertificateVerificationError{Err: expired})
	if got, ok := errors.AsType[x509.CertificateInvalidError](cause); !ok || got.Reason != expired.Reason {
		t.Errorf("got %#v, want an expired certificate", cause)
	}
	_, cause = classify(fmt.Errorf("%s: %w", strings.Repeat("x", 1000), &tls.CertificateVerificationError{Err: unknown}))
	if _, ok := errors.AsType[x509.UnknownAuthorityError](cause); !ok || len(cause.Error()) > 200 {
		t.Errorf("got %#v, want an unknown authority in at most 200 bytes", cause)
	}
	_, cause = classify(&net.DNSError{Err: "no such host", IsNotFound: true})
	if got, ok := errors.AsType[*net.DNSError](cause); !ok || !got.IsNotFound {
		t.Errorf("got %#v, want a host that is not found", cause)
	}
}

func TestClassifyKeepsTheErrno(t *testing.T) {
	err := &net.OpError{Op: "dial", Err: syscall.ENETUNREACH}
	if outcome, cause := classify(err); outcome != Failed || !errors.Is(cause, syscall.ENETUNREACH) {
		t.Errorf("got %v (%v), want failed (%v)", outcome, cause, syscall.ENETUNREACH)
	}
}
