package cli

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// compatScuttle takes the place of scuttle in an image: its variables become defaults of our flags, which is all there
// is to it. A bad value gets a warning, and counts as unset, as with scuttle. See github.com/kvij/scuttle
// (scuttle_config.go, main.go) and docs/migrating.md.
const compatScuttle = "scuttle"

// preflightVariables are those of envoy-preflight, scuttle's parent, that scuttle does not have:
// github.com/monzo/envoy-preflight.
var preflightVariables = []string{"NEVER_KILL_ENVOY", "ALWAYS_KILL_ENVOY", "ENVOY_KILL_API"}

// BeforeApply takes what scuttle's variables say for the defaults of our flags. kong calls it when it knows the flags
// and variables that are given, before it puts their values in place of the defaults.
func (f *flags) BeforeApply(ctx *kong.Context) error {
	i := slices.IndexFunc(ctx.Path, func(p *kong.Path) bool { return p.Flag != nil && p.Flag.Name == "compat" })
	if i < 0 || ctx.Value(ctx.Path[i]).String() != compatScuttle {
		return nil
	}
	s := scuttle{f}
	f.supervise = true
	for _, name := range preflightVariables {
		if lookup(f.env, name) != "" {
			s.warn("%s: a variable of envoy-preflight, ignored: see the section envoy-preflight in docs/migrating.md", name)
		}
	}
	ready := s.url("ENVOY_ADMIN_API", "/ready") // 200 where /server_info, which scuttle asks, says LIVE
	if ready != "" {
		f.URL = list{ready}
	}
	endpoints := ready != "" || given(ctx, &f.URL)+given(ctx, &f.Sidecar)+given(ctx, &f.Once) != ""
	f.Disabled = !endpoints || s.true("START_WITHOUT_ENVOY", false)
	f.Timeout = 0 // never gives up
	wait, quitWithout := s.duration("WAIT_FOR_ENVOY_TIMEOUT", 0), s.duration("QUIT_WITHOUT_ENVOY_TIMEOUT", 0)
	if quitWithout > 0 {
		f.Timeout, f.OnTimeout = quitWithout, "fail"
	} else if wait > 0 {
		f.Timeout = wait
	}
	if !s.true("SCUTTLE_LOGGING", true) {
		f.LogLevel = "warn"
	}
	if f.QuitTimeout = s.duration("QUIT_REQUEST_TIMEOUT", 5*time.Second); f.QuitTimeout == 0 {
		s.warn("QUIT_REQUEST_TIMEOUT: %q: as with scuttle, no sidecar is told to quit", lookup(f.env, "QUIT_REQUEST_TIMEOUT"))
		return nil
	}
	f.QuitURL = s.quitURLs(ready != "")
	return nil
}

// scuttle reads scuttle's variables. An empty one counts as unset, as there.
type scuttle struct{ *flags }

// quitURLs returns whom scuttle sends a POST to: its function kill in main.go.
func (s scuttle) quitURLs(isValid bool) (urls list) {
	for _, raw := range strings.Split(lookup(s.env, "GENERIC_QUIT_ENDPOINTS"), ",") {
		if raw = strings.Trim(raw, " "); raw != "" && s.isURL("GENERIC_QUIT_ENDPOINTS", raw, raw) {
			urls = append(urls, raw)
		}
	}
	if s.true("GENERIC_QUIT_ONLY", false) {
		return urls
	}
	istio, never := s.url("ISTIO_QUIT_API", "/quitquitquit"), s.true("NEVER_KILL_ISTIO", false)
	if s.true("NEVER_KILL_ISTIO_ON_FAILURE", false) {
		s.QuitOn = "success"
	}
	admin := lookup(s.env, "ENVOY_ADMIN_API") // scuttle looks for a local host anywhere in it, valid or not
	if never || !strings.Contains(admin, "localhost") && !strings.Contains(admin, "127.0.0.1") {
		return nil
	}
	if u, err := url.Parse(admin); istio == "" && isValid && err == nil && u.Port() == "15000" {
		u.Host = u.Hostname() + ":15020"
		istio = strings.TrimSuffix(u.String(), "/") + "/quitquitquit"
	}
	switch {
	case istio != "":
		return append(urls, istio)
	case isValid:
		s.warn("ENVOY_ADMIN_API: %q: its port is not 15000 and ISTIO_QUIT_API is not set: as with scuttle, the sidecar is not told to quit", probe.Redact(admin))
	}
	return urls
}

func (s scuttle) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

func (s scuttle) bad(name, value, expected string) {
	s.warn("%s: %q: expected %s; it counts as unset", name, probe.Redact(value), expected)
}

func (s scuttle) isURL(name, value, url string) bool {
	err := validURL(url, probe.ValidateQuitURL)
	if err != nil {
		s.bad(name, value, "a URL such as http://127.0.0.1:15000; "+err.Error())
	}
	return err == nil
}

// url returns the URL that is made of a base URL, with a slash at its end or not, or "".
func (s scuttle) url(name, path string) string {
	value := lookup(s.env, name)
	url := strings.TrimSuffix(value, "/") + path
	if value == "" || !s.isURL(name, value, url) {
		return ""
	}
	return url
}

func (s scuttle) true(name string, unset bool) bool {
	value := lookup(s.env, name)
	if value != "" && value != "true" && value != "false" {
		s.bad(name, value, "true or false")
	}
	return value == "true" || value != "false" && unset
}

func (s scuttle) duration(name string, unset time.Duration) time.Duration {
	value := lookup(s.env, name)
	parsed, err := time.ParseDuration(value)
	if err == nil && parsed >= 0 {
		return parsed
	}
	if value != "" {
		s.bad(name, value, "a duration such as 90s, or 0")
	}
	return unset
}
