package main

import (
	"errors"
	"fmt"
	"io"
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
		"":                                          "no wait, timeout 0s, start, quit [] on exit",
		admin:                                       "[" + ready + "], timeout 0s, start, quit [" + quit + "] on exit",
		admin + "/":                                 "[" + ready + "], timeout 0s, start, quit [" + quit + "] on exit",
		"ENVOY_ADMIN_API=http://localhost:9":        "[http://localhost:9/ready], timeout 0s, start, quit [http://localhost:9/quitquitquit] on exit",
		"ENVOY_ADMIN_API=http://10.0.0.1:9":         "[http://10.0.0.1:9/ready], timeout 0s, start, quit [] on exit",
		admin + " ISTIO_QUIT_API=http://h:1":        "[" + ready + "], timeout 0s, start, quit [http://h:1/quitquitquit] on exit",
		admin + " START_WITHOUT_ENVOY=true":         "no wait, timeout 0s, start, quit [" + quit + "] on exit",
		admin + " START_WITHOUT_ENVOY=false":        "[" + ready + "], timeout 0s, start, quit [" + quit + "] on exit",
		admin + " WAIT_FOR_ENVOY_TIMEOUT=9s":        "[" + ready + "], timeout 9s, start, quit [" + quit + "] on exit",
		admin + " NEVER_KILL_ISTIO=true":            "[" + ready + "], timeout 0s, start, quit [] on exit",
		admin + " " + other:                         "[" + ready + "], timeout 0s, start, quit [http://h:1/q http://h:2/q " + quit + "] on exit",
		other:                                       "no wait, timeout 0s, start, quit [] on exit",
		other + " GENERIC_QUIT_ONLY=true":           "no wait, timeout 0s, start, quit [http://h:1/q http://h:2/q] on exit",
		admin + " ENVOY_WAIT_ON_TIMEOUT=fail":       "[" + ready + "], timeout 0s, fail, quit [" + quit + "] on exit",
		admin + " ENVOY_WAIT_QUIT_ON=":              "[" + ready + "], timeout 0s, start, quit [" + quit + "] on exit",
		admin + " NEVER_KILL_ISTIO=true " + other:   "[" + ready + "], timeout 0s, start, quit [] on exit",
		admin + " NEVER_KILL_ISTIO_ON_FAILURE=true": "[" + ready + "], timeout 0s, start, quit [" + quit + "] on success",
		admin + " QUIT_WITHOUT_ENVOY_TIMEOUT=8s WAIT_FOR_ENVOY_TIMEOUT=9s": "[" + ready + "], timeout 8s, fail, quit [" + quit + "] on exit",
		admin + " ENVOY_WAIT_TIMEOUT=7s WAIT_FOR_ENVOY_TIMEOUT=9s":         "[" + ready + "], timeout 7s, start, quit [" + quit + "] on exit",
		other + " GENERIC_QUIT_ONLY=true NEVER_KILL_ISTIO_ON_FAILURE=true": "no wait, timeout 0s, start, quit [http://h:1/q http://h:2/q] on exit",
	} {
		s, err := parse([]string{"--compat=scuttle", "app"}, strings.Fields(env), io.Discard)
		wait := fmt.Sprint(s.URLs)
		if s.Disabled {
			wait = "no wait"
		}
		got := fmt.Sprintf("%s, timeout %v, %s, quit %v on %s", wait, time.Duration(s.Timeout), s.OnTimeout, s.QuitURLs, s.QuitOn)
		if err != nil || got != want {
			t.Errorf("%s:\ngot  %s, %v\nwant %s", env, got, err, want)
		}
	}
	for _, args := range [][]string{{"--url=http://h/", "app"}, {"--once"}} {
		if s, err := parse(append([]string{"--compat=scuttle"}, args...), nil, io.Discard); err != nil || s.Disabled {
			t.Errorf("%v: disabled %v, %v", args, s.Disabled, err)
		}
	}
	s, err := parse([]string{"app"}, []string{"ENVOY_WAIT_COMPAT=scuttle", "SCUTTLE_LOGGING=false", "QUIT_REQUEST_TIMEOUT=3s"}, io.Discard)
	if err != nil || s.LogLevel != "warn" || time.Duration(s.QuitTimeout) != 3*time.Second {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = parse([]string{"app"}, []string{admin}, io.Discard); err != nil || s.isJob() || time.Duration(s.Timeout) != time.Minute {
		t.Errorf("without --compat: %+v, %v", s, err)
	}
}

// Bad values, which scuttle ignores, are errors that name its variable.
func TestScuttleBadValues(t *testing.T) {
	for name, value := range map[string]string{
		"ENVOY_ADMIN_API": "127.0.0.1:15000", "START_WITHOUT_ENVOY": "yes", "WAIT_FOR_ENVOY_TIMEOUT": "60",
		"QUIT_WITHOUT_ENVOY_TIMEOUT": "-1s", "ISTIO_QUIT_API": "localhost", "NEVER_KILL_ISTIO": "1",
		"NEVER_KILL_ISTIO_ON_FAILURE": "TRUE", "GENERIC_QUIT_ENDPOINTS": "http://h,nonsense", "GENERIC_QUIT_ONLY": "on",
		"QUIT_REQUEST_TIMEOUT": "x", "SCUTTLE_LOGGING": "0",
	} {
		_, err := parse([]string{"--compat=scuttle", "app"}, []string{name + "=" + value}, io.Discard)
		var bad *badValue
		if !errors.As(err, &bad) || bad.name != name {
			t.Errorf("%s=%s: got %v", name, value, err)
		}
	}
}

// --quit is the quit URL of the proxy.
func TestQuit(t *testing.T) {
	for _, p := range proxies {
		s, err := parse([]string{"--proxy", p.name, "--quit", "app"}, nil, io.Discard)
		if got := strings.Join(s.QuitURLs, " "); got != p.quit || (err != nil) != (p.quit == "") {
			t.Errorf("%s: %s, %v", p.name, got, err)
		}
	}
	s, err := parse([]string{"--quit", "--quit-url", "http://h/", "app"}, nil, io.Discard)
	if err != nil || strings.Join(s.QuitURLs, " ") != "http://h/" {
		t.Errorf("%v, %v", s.QuitURLs, err)
	}
}
