package probe

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// ValidateURL returns nil if raw can work as a readiness endpoint: an absolute URL of one of the forms that
// Config.URLs lists, with a port, if any, from 1 to 65535. The error says what is wrong in a few words and never
// repeats the URL, which may hold a password.
func ValidateURL(raw string) error {
	_, err := parseURL(raw)
	return err
}

var errScheme = errors.New("the scheme must be http, https, tcp, unix or file")

func parseURL(raw string) (endpoint, error) {
	isBlank := func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) } // also of no width
	if strings.ContainsFunc(raw, isBlank) {
		return endpoint{}, errors.New("white space in the URL; separate URLs by commas, write a space as %20")
	}
	u, err := url.Parse(raw)
	if err != nil {
		return endpoint{}, errors.New("not a valid URL")
	}
	_, rest, _ := strings.Cut(raw, ":")
	e := endpoint{scheme: u.Scheme, request: raw}
	switch u.Scheme {
	case "http", "https":
		e.isHTTP = true
		err = checkHost(u)
	case "tcp":
		e.address = net.JoinHostPort(u.Hostname(), u.Port())
		if err = checkHost(u); err == nil && (u.User != nil || strings.Trim(u.Path, "/") != "" || strings.ContainsAny(raw, "?#")) {
			err = errors.New("nothing may come after the port of tcp://host:port")
		}
	case "unix":
		socket, path, isHTTP := strings.Cut(rest, ":")
		e = endpoint{scheme: u.Scheme, address: localPath(socket), request: "http://localhost" + path, isHTTP: isHTTP}
		if e.address == "" || isHTTP != strings.HasPrefix(path, "/") {
			err = errors.New("the form is unix:///path/to/socket:/ready, or unix:///path/to/socket")
		} else if len(e.address) > 107 { // sun_path has 108 bytes, with a NUL at the end (unix(7))
			err = errors.New("the path of a socket has at most 107 bytes")
		}
	case "file":
		if e.address = localPath(rest); e.address == "" {
			err = errors.New("the form is file:///path/to/file")
		}
	default:
		err = errScheme
	}
	return e, err
}

// localPath returns the path of a URL without its scheme, such as ///path/to/file. It is empty if the URL has a host, no
// path, or more than a path.
func localPath(rest string) string {
	escaped, ok := strings.CutPrefix(rest, "//")
	path, err := url.PathUnescape(escaped)
	if !ok || err != nil || len(path) < 2 || path[0] != '/' || strings.ContainsAny(escaped, "?#") || strings.Contains(path, "\x00") {
		return ""
	}
	return path
}

// checkHost says what is wrong with host and port. The port may be missing where the scheme has a default.
func checkHost(u *url.URL) error {
	n, err := strconv.ParseUint(cmp.Or(u.Port(), "80"), 10, 16)
	switch {
	case u.Hostname() == "":
		return errors.New("the host is missing")
	case strings.HasSuffix(u.Host, ":"):
		return errors.New("the port after the colon is missing")
	case u.Port() == "" && u.Scheme == "tcp":
		return errors.New("the port is missing")
	case err != nil || n == 0:
		return errors.New("the port must be from 1 to 65535")
	}
	return nil
}

// Redact returns raw with everything between its scheme and the last "@" replaced, for log lines. It works on URLs
// that do not parse and on lists as well, and rather hides too much.
func Redact(raw string) string {
	if !strings.Contains(raw, "@") {
		return raw
	}
	return regexp.MustCompile(`(?s)^([^:/,]*://)?.*@`).ReplaceAllString(raw, "${1}xxxxx@")
}
