package cli

import (
	"fmt"
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

// preflightVariables are those of envoy-preflight, scuttle's parent, that scuttle does not have:
// github.com/monzo/envoy-preflight.
var preflightVariables = []string{"NEVER_KILL_ENVOY", "ALWAYS_KILL_ENVOY", "ENVOY_KILL_API"}

// BeforeApply takes what scuttle's variables say for the defaults of our flags. kong calls it when it knows the flags
// and variables that are given, before it puts their values in place of the defaults.
func (f *flags) BeforeApply(ctx *kong.Context) error {
	isScuttle := f.program == compatScuttle
	if p := given(ctx, &f.Compat); p != nil {
		isScuttle = ctx.Value(p).String() == compatScuttle
	}
	if !isScuttle {
		return nil
	}
	s := scuttle{f}
	for _, name := range preflightVariables {
		if lookup(f.env, name) != "" {
			s.warn("%s: a variable of envoy-preflight, ignored: see the section envoy-preflight in docs/migrating.md", name)
		}
	}
	admin := s.url("ENVOY_ADMIN_API")
	if admin != "" {
		f.URL = list{admin + "/ready"} // 200 where /server_info, which scuttle asks, says LIVE
	}
	endpoints := admin != "" || given(ctx, &f.URL) != nil || given(ctx, &f.Once) != nil
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
	s.quit(admin)
	return nil
}

// scuttle reads scuttle's variables. An empty one counts as unset, as there.
type scuttle struct{ *flags }

// quit sets whom scuttle sends a POST to: its function kill in main.go.
func (s scuttle) quit(admin string) {
	timeout := s.duration("QUIT_REQUEST_TIMEOUT", 5*time.Second)
	if timeout == 0 {
		s.warn("QUIT_REQUEST_TIMEOUT: %q: as with scuttle, no sidecar is told to quit", lookup(s.env, "QUIT_REQUEST_TIMEOUT"))
		return
	}
	s.QuitTimeout = timeout
	var urls list
	for _, raw := range strings.Split(lookup(s.env, "GENERIC_QUIT_ENDPOINTS"), ",") {
		if raw = strings.TrimSpace(raw); raw != "" && s.valid("GENERIC_QUIT_ENDPOINTS", raw) {
			urls = append(urls, raw)
		}
	}
	if !s.true("GENERIC_QUIT_ONLY", false) {
		istio, never := s.url("ISTIO_QUIT_API"), s.true("NEVER_KILL_ISTIO", false)
		u, err := url.Parse(admin)
		if err != nil || never || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
			return
		}
		if istio == "" && u.Port() == "15000" {
			istio = strings.Replace(admin, ":15000", ":15020", 1)
		}
		if istio == "" {
			s.warn("ENVOY_ADMIN_API: %q: its port is not 15000 and ISTIO_QUIT_API is not set: as with scuttle, the sidecar is not told to quit", probe.Redact(admin))
		} else {
			urls = append(urls, istio+"/quitquitquit")
		}
		if s.true("NEVER_KILL_ISTIO_ON_FAILURE", false) {
			s.QuitOn = "success"
		}
	}
	s.QuitURL = urls
}

func (s scuttle) warn(format string, args ...any) {
	s.warnings = append(s.warnings, fmt.Sprintf(format, args...))
}

func (s scuttle) bad(name, value, expected string) {
	s.warn("%s: %q: expected %s; ignored, as with scuttle", name, probe.Redact(value), expected)
}

func (s scuttle) valid(name, value string) bool {
	err := probe.ValidateQuitURL(value)
	if err != nil {
		s.bad(name, value, "a URL such as http://127.0.0.1:15000; "+err.Error())
	}
	return err == nil
}

// url returns a base URL without a slash at its end, or "".
func (s scuttle) url(name string) string {
	value := lookup(s.env, name)
	if value == "" || !s.valid(name, value) {
		return ""
	}
	return strings.TrimSuffix(value, "/")
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
