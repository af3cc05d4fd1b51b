package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// What scuttle's variables come to, in our settings.
func TestScuttle(t *testing.T) {
	const (
		admin = "ENVOY_ADMIN_API=http://127.0.0.1:15000"
		ready = "http://127.0.0.1:15000/ready"
		quit  = "http://127.0.0.1:15020/quitquitquit"
		other = "GENERIC_QUIT_ENDPOINTS=http://h:1/q,http://h:2/q"
	)
	for env, want := range map[string]string{
		"":                                          "no wait, timeout 0s, start, quit [] always",
		admin:                                       "[" + ready + "], timeout 0s, start, quit [" + quit + "] always",
		admin + "/":                                 "[" + ready + "], timeout 0s, start, quit [" + quit + "] always",
		"ENVOY_ADMIN_API=http://localhost:9":        "[http://localhost:9/ready], timeout 0s, start, quit [] always",
		"ENVOY_ADMIN_API=http://10.0.0.1:9":         "[http://10.0.0.1:9/ready], timeout 0s, start, quit [] always",
		admin + " ISTIO_QUIT_API=http://h:1":        "[" + ready + "], timeout 0s, start, quit [http://h:1/quitquitquit] always",
		admin + " START_WITHOUT_ENVOY=true":         "no wait, timeout 0s, start, quit [" + quit + "] always",
		admin + " START_WITHOUT_ENVOY=false":        "[" + ready + "], timeout 0s, start, quit [" + quit + "] always",
		admin + " WAIT_FOR_ENVOY_TIMEOUT=9s":        "[" + ready + "], timeout 9s, start, quit [" + quit + "] always",
		admin + " NEVER_KILL_ISTIO=true":            "[" + ready + "], timeout 0s, start, quit [] always",
		admin + " " + other:                         "[" + ready + "], timeout 0s, start, quit [http://h:1/q http://h:2/q " + quit + "] always",
		other:                                       "no wait, timeout 0s, start, quit [] always",
		other + " GENERIC_QUIT_ONLY=true":           "no wait, timeout 0s, start, quit [http://h:1/q http://h:2/q] always",
		admin + " ENVOY_WAIT_ON_TIMEOUT=fail":       "[" + ready + "], timeout 0s, fail, quit [" + quit + "] always",
		admin + " ENVOY_WAIT_QUIT_ON=":              "[" + ready + "], timeout 0s, start, quit [" + quit + "] always",
		admin + " NEVER_KILL_ISTIO=true " + other:   "[" + ready + "], timeout 0s, start, quit [] always",
		admin + " NEVER_KILL_ISTIO_ON_FAILURE=true": "[" + ready + "], timeout 0s, start, quit [" + quit + "] on success",
		admin + " QUIT_WITHOUT_ENVOY_TIMEOUT=8s WAIT_FOR_ENVOY_TIMEOUT=9s": "[" + ready + "], timeout 8s, fail, quit [" + quit + "] always",
		admin + " ENVOY_WAIT_TIMEOUT=7s WAIT_FOR_ENVOY_TIMEOUT=9s":         "[" + ready + "], timeout 7s, start, quit [" + quit + "] always",
		other + " GENERIC_QUIT_ONLY=true NEVER_KILL_ISTIO_ON_FAILURE=true": "no wait, timeout 0s, start, quit [http://h:1/q http://h:2/q] always",
	} {
		s, err := parse([]string{"--compat=scuttle", "app"}, strings.Fields(env))
		wait := fmt.Sprint(s.Probe.URLs)
		if s.Disabled {
			wait = "no wait"
		}
		got := fmt.Sprintf("%s, timeout %v, %s, quit %v %s", wait, max(0, s.Probe.Timeout),
			map[bool]string{true: "start", false: "fail"}[s.StartAnyway], s.Quit.URLs, map[bool]string{true: "on success", false: "always"}[s.QuitOnSuccess])
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", env, got, err, want)
		}
	}
	for _, args := range [][]string{{"--url=http://h/", "app"}, {"--once"}} {
		if s, err := parse(append([]string{"--compat=scuttle"}, args...), nil); err != nil || s.Disabled {
			t.Errorf("%v: disabled %v, %v", args, s.Disabled, err)
		}
	}
	s, err := parse([]string{"app"}, []string{"ENVOY_WAIT_COMPAT=scuttle", "SCUTTLE_LOGGING=false", "QUIT_REQUEST_TIMEOUT=3s"})
	if err != nil || s.LogLevel != "warn" || s.Quit.Timeout != 3*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = parse([]string{"app"}, []string{admin}); err != nil || s.IsJob() || s.Probe.Timeout != time.Minute {
		t.Errorf("without --compat: %+v, %v", s, err)
	}
}

// A fleet must not stop on the day of the swap: a bad value of scuttle's is a warning,
// and then as if unset.
func TestScuttleBadValues(t *testing.T) {
	const admin = "ENVOY_ADMIN_API=http://127.0.0.1:15000"
	settings := func(env ...string) *Settings {
		s, err := parse([]string{"--compat=scuttle", "app"}, env)
		if err != nil {
			t.Errorf("%v: %v", env, err)
		}
		return s
	}
	unset := settings(admin)
	for name, value := range map[string]string{
		"START_WITHOUT_ENVOY": "yes", "WAIT_FOR_ENVOY_TIMEOUT": "60", "QUIT_WITHOUT_ENVOY_TIMEOUT": "-1s", "ISTIO_QUIT_API": "localhost",
		"NEVER_KILL_ISTIO": "1", "NEVER_KILL_ISTIO_ON_FAILURE": "TRUE", "GENERIC_QUIT_ENDPOINTS": "nonsense", "GENERIC_QUIT_ONLY": "on",
		"QUIT_REQUEST_TIMEOUT": "x", "SCUTTLE_LOGGING": "0",
	} {
		s := settings(admin, name+"="+value)
		if len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], name+": \""+value+"\": expected ") {
			t.Errorf("%s=%s: the warnings are %q", name, value, s.Warnings)
		}
		if fmt.Sprint(s.Probe.URLs, s.Probe.Timeout, s.Quit.URLs, s.Quit.Timeout, s.LogLevel) != fmt.Sprint(unset.Probe.URLs, unset.Probe.Timeout, unset.Quit.URLs, unset.Quit.Timeout, unset.LogLevel) {
			t.Errorf("%s=%s: %+v", name, value, s)
		}
	}
	if s := settings(admin, "GENERIC_QUIT_ENDPOINTS=http://h, nonsense,,http://i "); len(s.Quit.URLs) != 3 || len(s.Warnings) != 1 {
		t.Errorf("%+v", s)
	}
}

// Where scuttle tells nobody, neither do we; and envoy-preflight is another program.
func TestScuttleWarnings(t *testing.T) {
	for env, want := range map[string]string{
		"ENVOY_ADMIN_API=http://localhost:9":                             "ENVOY_ADMIN_API: \"http://localhost:9\": its port is not 15000 and ISTIO_QUIT_API is not set: ",
		"ENVOY_ADMIN_API=http://127.0.0.1:15000 QUIT_REQUEST_TIMEOUT=0s": "QUIT_REQUEST_TIMEOUT: \"0s\": as with scuttle, no sidecar is told to quit",
		"NEVER_KILL_ENVOY=true":                                          "NEVER_KILL_ENVOY: a variable of envoy-preflight, ignored: ",
		"ENVOY_KILL_API=x":                                               "ENVOY_KILL_API: a variable of envoy-preflight, ignored: ",
	} {
		s, err := parse([]string{"--compat=scuttle", "app"}, strings.Fields(env))
		if err != nil || s.IsJob() || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], want) {
			t.Errorf("%s: quit %v, warnings %q, %v", env, s.Quit.URLs, s.Warnings, err)
		}
	}
}

// A link called scuttle implies --compat scuttle.
func TestCalledAsScuttle(t *testing.T) {
	for name, timeout := range map[string]time.Duration{"/usr/bin/scuttle": -1, "scuttle": -1, "/scuttle/envoy-wait": time.Minute} {
		s, err := Parse([]string{name, "app"}, nil)
		if err != nil || s.Probe.Timeout != timeout {
			t.Errorf("%s: timeout %v, %v", name, s.Probe.Timeout, err)
		}
	}
}

// A bad ENVOY_ADMIN_API loses the wait alone, and is named by its own name: scuttle looks into it for a local host only,
// and sends its POST to ISTIO_QUIT_API.
func TestScuttleBadAdmin(t *testing.T) {
	const quit = "http://127.0.0.1:15020/quitquitquit"
	for _, bad := range []string{
		"127.0.0.1:15000", `"http://127.0.0.1:15000"`, "http://127.0.0.1:15000 ", " http://127.0.0.1:15000", "http://localhost:15000/\u00a0", "localhost", "http://127.0.0.1:99999",
	} {
		admin := "ENVOY_ADMIN_API=" + bad
		s, err := parse([]string{"--compat=scuttle", "app"}, []string{admin, "ISTIO_QUIT_API=http://127.0.0.1:15020"})
		if err != nil || !s.Disabled || strings.Join(s.Quit.URLs, " ") != quit {
			t.Errorf("%q: no wait %v, quit %v, %v, want no wait and %s", bad, s.Disabled, s.Quit.URLs, err, quit)
		}
		if len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], fmt.Sprintf("ENVOY_ADMIN_API: %q: expected a URL ", bad)) {
			t.Errorf("%q: got %q, want one warning", bad, s.Warnings)
		}
		if s, err = parse([]string{"--compat=scuttle", "app"}, []string{admin}); err != nil || !s.Disabled || s.IsJob() || len(s.Warnings) != 1 {
			t.Errorf("%q without ISTIO_QUIT_API: quit %v, warnings %q, %v, want none told", bad, s.Quit.URLs, s.Warnings, err)
		}
	}
	for _, remote := range []string{"nonsense", "http://10.0.0.1:15000"} {
		s, err := parse([]string{"--compat=scuttle", "app"}, []string{"ENVOY_ADMIN_API=" + remote, "ISTIO_QUIT_API=http://127.0.0.1:15020"})
		if err != nil || s.IsJob() {
			t.Errorf("%q: quit %v, %v, want none told, as with scuttle", remote, s.Quit.URLs, err)
		}
	}
	s, err := parse([]string{"--compat=scuttle", "--url", "http://h/", "app"}, []string{"ENVOY_ADMIN_API=nonsense"})
	if err != nil || s.Disabled || strings.Join(s.Probe.URLs, " ") != "http://h/" {
		t.Errorf("with a URL of ours: no wait %v, %v, %v, want a wait", s.Disabled, s.Probe.URLs, err)
	}
}

// What cannot be part of a URL of ours is scuttle's bad value all the same.
func TestScuttleURLsAreValid(t *testing.T) {
	for _, name := range []string{"ENVOY_ADMIN_API", "ISTIO_QUIT_API", "GENERIC_QUIT_ENDPOINTS"} {
		for _, value := range []string{"http://localhost:15000/a b", "http://localhost:15000?x=\u00a0", "unix:///s", "file:///localhost", "tcp://localhost:1", "http://localhost:15000\t"} {
			env := []string{"ENVOY_ADMIN_API=http://localhost:15000", name + "=" + value}
			if name == "ENVOY_ADMIN_API" {
				env = env[1:]
			}
			s, err := parse([]string{"--compat=scuttle", "app"}, env)
			if err != nil || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], name+": ") {
				t.Errorf("%s=%q: got %q, %v, want a warning of %[1]s", name, value, s.Warnings, err)
			}
		}
	}
}

// scuttle quits nobody where there is no command, and that is no error.
func TestScuttleWithoutACommand(t *testing.T) {
	const admin = "ENVOY_ADMIN_API=http://127.0.0.1:15000"
	s, err := Parse([]string{"/scuttle"}, []string{admin, "GENERIC_QUIT_ENDPOINTS=http://h/"})
	if err != nil || s.IsJob() || s.Disabled || s.Supervise {
		t.Errorf("quit %v, no wait %v, supervised %v, %v, want a wait and no more", s.Quit.URLs, s.Disabled, s.Supervise, err)
	}
	for _, args := range [][]string{{"/scuttle", "--quit"}, {"/scuttle", "--quit-url=http://h/"}} {
		if s, err := Parse(args, []string{admin}); err == nil || s.IsJob() {
			t.Errorf("%q: got %v, quit %v, want an error, since ours are named", args, err, s.Quit.URLs)
		}
	}
}

// With scuttle an app was never PID 1, and a Job's never is.
func TestSupervise(t *testing.T) {
	for _, test := range []struct {
		args, env string
		want      bool
	}{
		{"app", "", false}, {"--quit app", "", true}, {"--quit-url http://h/ app", "", true}, {"--compat scuttle app", "", true},
		{"--compat scuttle app", "NEVER_KILL_ISTIO=true", true}, {"app", "ENVOY_WAIT_COMPAT=scuttle", true},
		{"--compat none app", "ENVOY_WAIT_COMPAT=scuttle", false}, {"--compat scuttle", "", false}, {"--compat scuttle --once", "", false},
		{"", "ENVOY_WAIT_DISABLED=true", false},
	} {
		if s, err := parse(strings.Fields(test.args), []string{test.env}); err != nil || s.Supervise != test.want {
			t.Errorf("%s %s: got %v, %v, want %v", test.args, test.env, s.Supervise, err, test.want)
		}
	}
	if s, err := Parse([]string{"/scuttle", "--compat", "none", "app"}, nil); err != nil || s.Supervise || s.Probe.Timeout != time.Minute {
		t.Errorf("a link called scuttle, and --compat none: %+v, %v, want a plain wait", s, err)
	}
}
