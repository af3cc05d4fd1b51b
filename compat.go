package main

import (
	neturl "net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

// compatScuttle takes the place of scuttle and its parent envoy-preflight in an
// image: their variables are translated into ours, which is all there is to it.
// See github.com/kvij/scuttle and docs/migrating.md.
const compatScuttle = "scuttle"

// calledAsScuttle reports whether the program runs by a link of that name.
func calledAsScuttle() bool { return filepath.Base(os.Args[0]) == compatScuttle }

// scuttle reads scuttle's variables. An empty one counts as unset, as there.
type scuttle struct {
	env []string
	err error // the first bad value; scuttle ignores them
}

// fromScuttle returns our variables for scuttle's. Those that are set anyway are
// to go before them. With a URL of ours there is something to wait for.
func fromScuttle(env []string, urlGiven bool) ([]string, error) {
	s := &scuttle{env: env}
	admin := s.url("ENVOY_ADMIN_API")
	wait, quitWithout := s.duration("WAIT_FOR_ENVOY_TIMEOUT"), s.duration("QUIT_WITHOUT_ENVOY_TIMEOUT")
	ours := map[string]string{
		"URL":      "",
		"DISABLED": strconv.FormatBool(!urlGiven), // without ENVOY_ADMIN_API scuttle does not wait
		"TIMEOUT":  "0s",                          // for ever, unless one of its timeouts is set
	}
	if admin != "" {
		// scuttle reads the state from /server_info; /ready is 200 where that is LIVE.
		ours["URL"], ours["DISABLED"] = admin+"/ready", "false"
	}
	if s.true("START_WITHOUT_ENVOY", false) {
		ours["DISABLED"] = "true"
	}
	switch {
	case quitWithout > 0:
		ours["TIMEOUT"], ours["ON_TIMEOUT"] = quitWithout.String(), "fail"
	case wait > 0:
		ours["TIMEOUT"], ours["ON_TIMEOUT"] = wait.String(), onTimeoutStart
	}
	ours["QUIT_URL"] = strings.Join(s.quitURLs(admin), ",")
	if s.true("NEVER_KILL_ISTIO_ON_FAILURE", false) && !s.true("GENERIC_QUIT_ONLY", false) {
		ours["QUIT_ON"] = quitOnSuccess
	}
	if timeout := s.duration("QUIT_REQUEST_TIMEOUT"); timeout > 0 {
		ours["QUIT_TIMEOUT"] = timeout.String()
	}
	if !s.true("SCUTTLE_LOGGING", true) {
		ours["LOG_LEVEL"] = "warn"
	}

	var variables []string
	for name, value := range ours {
		variables = append(variables, variablePrefix+name+"="+value)
	}
	return variables, s.err
}

// quitURLs are those that scuttle sends a POST to. Without ISTIO_QUIT_API it takes
// the agent's port where the admin's is Istio's; older ones run pkill. Envoy's own
// endpoint ends any other sidecar.
func (s *scuttle) quitURLs(admin string) []string {
	var generic []string
	for _, raw := range strings.Split(lookup(s.env, "GENERIC_QUIT_ENDPOINTS"), ",") {
		if raw = strings.TrimSpace(raw); raw != "" {
			generic = append(generic, s.valid("GENERIC_QUIT_ENDPOINTS", raw))
		}
	}
	istio := s.url("ISTIO_QUIT_API")
	never := s.true("NEVER_KILL_ISTIO", false)
	if s.true("GENERIC_QUIT_ONLY", false) {
		return generic
	}
	if u, err := neturl.Parse(admin); never || err != nil || u.Hostname() != "localhost" && u.Hostname() != "127.0.0.1" {
		return nil
	}
	if istio == "" {
		istio = strings.Replace(admin, ":15000", ":15020", 1)
	}
	return append(generic, istio+"/quitquitquit")
}

// url returns a base URL without a slash at its end.
func (s *scuttle) url(name string) string {
	value := lookup(s.env, name)
	if value == "" {
		return ""
	}
	return strings.TrimSuffix(s.valid(name, value), "/")
}

func (s *scuttle) valid(name, value string) string {
	if err := probe.ValidateQuitURL(value); err != nil {
		s.bad(name, probe.Redact(value), "a URL such as http://127.0.0.1:15000; "+err.Error())
	}
	return value
}

func (s *scuttle) true(name string, unset bool) bool {
	switch value := lookup(s.env, name); value {
	case "":
		return unset
	case "true", "false":
		return value == "true"
	default:
		s.bad(name, value, "true or false")
		return unset
	}
}

func (s *scuttle) duration(name string) time.Duration {
	value := lookup(s.env, name)
	if value == "" {
		return 0
	}
	parsed, err := time.ParseDuration(value)
	if err != nil || parsed < 0 {
		s.bad(name, value, "a duration such as 90s, or 0")
	}
	return parsed
}

func (s *scuttle) bad(name, value, expected string) {
	if s.err == nil {
		s.err = &badValue{name, value, expected}
	}
}
