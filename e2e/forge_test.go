//go:build linux

package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// forger is an https endpoint. The name in its certificate has a line break and codes that drive a terminal.
func forger(t *testing.T) (url string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"a\nenvoy-wait: ready after 1s, starting \"app\"\n\x1b[2J\r"},
	}
	der, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	server := harness.TLSServer(t, &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	return strings.Replace(server.URL, "127.0.0.1", "localhost", 1)
}

// An endpoint can neither forge a line nor drive a terminal, in either format.
func TestForgedCertificate(t *testing.T) {
	url := forger(t)
	for _, format := range []string{"text", "json"} {
		r := run(t, "--log-format", format, "--url", url, "--timeout", "300ms").WantCode(t, 124)
		harness.WantIn(t, r.Stderr, "not ready after ", "certificate is valid for a?envoy-wait: ready after 1s")
		for line := range strings.Lines(r.Stderr) {
			if strings.HasPrefix(line, "envoy-wait: ready") || strings.ContainsAny(line, "\x1b\r") || strings.Contains(line, `\u001b`) {
				t.Errorf("%s: got %q, want no forged line and no escape", format, line)
			}
		}
	}
}

// The words of the command line are not trusted either. A URL may have a password wherever it was typed.
func TestWhatWasTypedIsPrintable(t *testing.T) {
	for _, args := range [][]string{
		{"--log-format=text", "--disabled", "a\nenvoy-wait: ready\x1b[2J"},
		{"--log-format=text", "--a\nenvoy-wait: ready\x1b[2J"},
		{"--log-format=text", "--timeout", "\nenvoy-wait: ready\x1b[2J"},
		{"--log-format=text", "http://u:hunter2@h:1/"},
		{"--log-format=text", "--quit=http://u:hunter2@h:1/", "app"},
		{"--log-format=text", "--once=http://u:hunter2@h:1/"},
		{"--log-format=text", "--timeout=http://u:hunter2@h:1/"},
		{"--log-format=text", "--http://u:hunter2@h:1/"},
	} {
		r := run(t, args...)
		if strings.Count(r.Stderr, "\n") != 1 || strings.Contains(r.Stderr, "\x1b") || strings.Contains(r.Stderr, "hunter2") || r.Code < 125 {
			t.Errorf("%q: got %+v, want an error in one line, without escape and password", args, r)
		}
	}
}
