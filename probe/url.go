package probe

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"
)

// maxSocketPath is what fits into sun_path with a NUL after it (unix(7)).
const maxSocketPath = 107

// ValidateURL returns nil if raw can work as a readiness endpoint: an absolute URL of one of the forms that
// Config.URLs lists, with a port, if any, from 1 to 65535. The error says what is wrong in a few words and never
// repeats the URL, which may hold a password.
func ValidateURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

var errScheme = errors.New("the scheme must be http, https, tcp, unix or file")

func parseURL(raw string) (endpoint, error) {
	if strings.ContainsFunc(raw, isBlank) {
		return endpoint{}, errors.New("white space in the URL; separate URLs by commas, write a space as %20")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return endpoint{}, errors.New("not a valid URL")
	}
	e := endpoint{scheme: u.Scheme, request: raw}
	switch u.Scheme {
	case "http", "https":
		e.isHTTP = true
		e.address, err = hostPort(u, map[string]string{"http": "80", "https": "443"}[u.Scheme])
	case "tcp":
		if e.address, err = hostPort(u, ""); err == nil && (strings.Trim(u.Path, "/") != "" || u.User != nil || hasTail(u)) {
			err = errors.New("nothing may come after the port of tcp://host:port")
		}
	case "unix":
		e, err = socket(u, raw)
	case "file":
		if e.address = u.Path; !isPath(e.address) || !strings.HasPrefix(raw[len(u.Scheme):], ":///") || hasTail(u) {
			err = errors.New("the form is file:///path/to/file")
		}
	default:
		err = errScheme
	}
	return e, err
}

// isBlank reports whether r is white space, or a character that is not seen, such as one of no width.
func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// socket takes unix:///path/to/socket:/ready apart; the path of the HTTP request may be missing.
func socket(u *url.URL, raw string) (endpoint, error) {
	hasHost := !strings.HasPrefix(raw[len("unix"):], ":///")
	address, path, isHTTP := strings.Cut(u.Path, ":")
	e := endpoint{scheme: "unix", address: address, request: raw, isHTTP: isHTTP}
	switch {
	case !isPath(address), isHTTP != strings.HasPrefix(path, "/"), !isHTTP && hasTail(u), hasHost:
		return e, errors.New("the form is unix:///path/to/socket:/ready, or unix:///path/to/socket")
	case len(address) > maxSocketPath:
		return e, fmt.Errorf("the path of a socket has at most %d bytes", maxSocketPath)
	case isHTTP:
		_, rawPath, _ := strings.Cut(u.EscapedPath(), ":")
		u.Scheme, u.Host, u.Path, u.RawPath = "http", "localhost", path, rawPath
		e.request = u.String()
	}
	return e, nil
}

// isPath reports whether path can be one that leads to a file.
func isPath(path string) bool {
	return len(path) > 1 && path[0] == '/' && !strings.Contains(path, "\x00")
}

// hasTail reports whether there is a query or a fragment.
func hasTail(u *url.URL) bool { return u.RawQuery != "" || u.ForceQuery || u.Fragment != "" }

// hostPort returns the address to connect to.
func hostPort(u *url.URL, defaultPort string) (string, error) {
	port := u.Port()
	switch {
	case u.Hostname() == "":
		return "", errors.New("the host is missing")
	case strings.HasSuffix(u.Host, ":"):
		return "", errors.New("the port after the colon is missing")
	case port == "" && defaultPort == "":
		return "", errors.New("the port is missing")
	case port == "":
		port = defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", errors.New("the port must be from 1 to 65535")
	}
	return net.JoinHostPort(u.Hostname(), port), nil
}

// Redact returns raw with everything between its scheme and the last "@" replaced, for log lines. It works on URLs
// that do not parse and on lists as well, and rather hides too much.
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
