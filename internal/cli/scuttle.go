package cli

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// compatScuttle takes the place of scuttle in an image: its variables become defaults of our flags, which is all there
// is to it. A bad value gets a warning, and counts as unset, as with scuttle. See github.com/kvij/scuttle
// (scuttle_config.go, main.go) and docs/migrating.md.
const compatScuttle = "scuttle"

// BeforeApply takes what scuttle's variables say for the defaults of our flags. It applies the flags and variables that
// are given, to look at them. kong does so again after it, so that they win.
func (f *flags) BeforeApply(ctx *kong.Context) error {
	if _, err := ctx.Apply(); err != nil || f.Compat != compatScuttle {
		return err
	}
	for _, name := range []string{"NEVER_KILL_ENVOY", "ALWAYS_KILL_ENVOY", "ENVOY_KILL_API"} { // github.com/monzo/envoy-preflight
		if lookup(f.env, name) != "" {
			f.warn("%s: a variable of envoy-preflight, ignored: see the section envoy-preflight in docs/migrating.md", name)
		}
	}
	s := scuttle{f}
	admin := lookup(f.env, "ENVOY_ADMIN_API")
	ready := s.url("ENVOY_ADMIN_API", admin, strings.TrimSuffix(admin, "/")+"/ready") // 200 where /server_info, which scuttle asks, says LIVE
	if ready != "" {
		f.URL = list{ready}
	}
	f.Disabled = s.is("START_WITHOUT_ENVOY", "true") || len(f.URL) == 0 && given(ctx, &f.Sidecar) == "" && !f.Once
	f.Timeout = s.duration("WAIT_FOR_ENVOY_TIMEOUT", 0) // 0 never gives up
	if orFail := s.duration("QUIT_WITHOUT_ENVOY_TIMEOUT", 0); orFail > 0 {
		f.Timeout, f.OnTimeout = orFail, "fail"
	}
	if s.is("SCUTTLE_LOGGING", "false") {
		f.LogLevel = "warn"
	}
	if f.QuitTimeout = s.duration("QUIT_REQUEST_TIMEOUT", 5*time.Second); f.QuitTimeout == 0 {
		f.warn("QUIT_REQUEST_TIMEOUT: %q: as with scuttle, no sidecar is told to quit", lookup(f.env, "QUIT_REQUEST_TIMEOUT"))
		return nil
	}
	f.QuitURL = s.quitURLs(admin, ready != "")
	return nil
}

// scuttle reads scuttle's variables. An empty one counts as unset, as there.
type scuttle struct{ *flags }

// quitURLs returns whom scuttle sends a POST to: its function kill in main.go.
func (s scuttle) quitURLs(admin string, isValid bool) (urls list) {
	for endpoint := range strings.SplitSeq(lookup(s.env, "GENERIC_QUIT_ENDPOINTS"), ",") {
		endpoint = strings.Trim(endpoint, " ")
		if url := s.url("GENERIC_QUIT_ENDPOINTS", endpoint, endpoint); url != "" {
			urls = append(urls, url)
		}
	}
	if s.is("GENERIC_QUIT_ONLY", "true") {
		return urls
	}
	if s.is("NEVER_KILL_ISTIO_ON_FAILURE", "true") {
		s.QuitOn = "success"
	}
	istio := lookup(s.env, "ISTIO_QUIT_API")
	istio = s.url("ISTIO_QUIT_API", istio, strings.TrimSuffix(istio, "/")+"/quitquitquit")
	isLocal := strings.Contains(admin, "localhost") || strings.Contains(admin, "127.0.0.1") // as scuttle looks, valid or not
	switch u, _ := url.Parse(admin); {
	case s.is("NEVER_KILL_ISTIO", "true") || !isLocal:
		return nil
	case istio != "":
		return append(urls, istio)
	case isValid && u.Port() == "15000":
		u.Host = u.Hostname() + ":15020"
		return append(urls, strings.TrimSuffix(u.String(), "/")+"/quitquitquit")
	case isValid:
		s.warn("ENVOY_ADMIN_API: %q: its port is not 15000 and ISTIO_QUIT_API is not set: as with scuttle, the sidecar is not told to quit", probe.Redact(admin))
	}
	return urls
}

// url returns a URL that is made of a value, or "" where the value is unset or bad.
func (s scuttle) url(name, value, url string) string {
	err := probe.ValidateQuitURL(url)
	switch {
	case value == "":
		return ""
	case err != nil:
		return s.bad(name, value, "a URL such as http://127.0.0.1:15000; "+err.Error())
	}
	return url
}

// is reports whether a switch is set to a value.
func (s scuttle) is(name, value string) bool {
	got := lookup(s.env, name)
	if got != "" && got != "true" && got != "false" {
		got = s.bad(name, got, "true or false")
	}
	return got == value
}

func (s scuttle) duration(name string, unset time.Duration) time.Duration {
	d, err := time.ParseDuration(cmp.Or(lookup(s.env, name), unset.String()))
	if err != nil || d < 0 {
		s.bad(name, lookup(s.env, name), "a duration such as 90s, or 0")
		return unset
	}
	return d
}

// bad warns of a value, and returns "": it counts as unset.
func (s scuttle) bad(name, value, expected string) string {
	s.warn("%s: %q: expected %s; it counts as unset", name, probe.Redact(value), expected)
	return ""
}
