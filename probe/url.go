package probe

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// ValidateURL returns nil if raw can work as a readiness endpoint: an absolute
// http or https URL with a host and, if any, a port from 1 to 65535. The error
// says what is wrong in a few words and never repeats the URL, which may hold a
// password.
func ValidateURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("not a valid URL")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("the scheme must be http or https")
	case u.Hostname() == "":
		return errors.New("the host is missing")
	case strings.HasSuffix(u.Host, ":"):
		return errors.New("the port after the colon is missing")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return errors.New("the port must be from 1 to 65535")
		}
	}
	return nil
}

// Redact returns raw with everything between its scheme and the last "@"
// replaced, for log lines. It works on URLs that do not parse and on lists as
// well, and rather hides too much.
func Redact(raw string) string {
	at := strings.LastIndexByte(raw, '@')
	if at < 0 {
		return raw
	}
	start := 0
	if scheme, _, ok := strings.Cut(raw[:at], "://"); ok && !strings.ContainsAny(scheme, ":/,") {
		start = len(scheme) + len("://")
	}
	return raw[:start] + "xxxxx" + raw[at:]
}

// isLocalhost reports whether host is the name that RFC 6761 section 6.3 binds
// to the loopback addresses.
func isLocalhost(host string) bool {
	return strings.EqualFold(strings.TrimSuffix(host, "."), "localhost")
}
