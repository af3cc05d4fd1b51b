package cli

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

// parse is Parse for a program that is called by its own name.
func parse(args, env []string) (*Settings, error) {
	return Parse(append([]string{"/usr/local/bin/envoy-wait"}, args...), env, io.Discard)
}

// accepted lists the statuses that count as ready.
func accepted(s *Settings) (statuses []int) {
	for status := range 1000 {
		if s.Probe.Accepts(status) {
			statuses = append(statuses, status)
		}
	}
	return statuses
}

func TestDefaultsAreThoseOfProbe(t *testing.T) {
	s, err := parse(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := accepted(s); !slices.Equal(got, []int{200}) {
		t.Errorf("%v count as ready", got)
	}
	got := s.Probe
	got.Accepts = nil
	want := probe.Config{
		URLs: []string{probe.DefaultURL}, Gate: probe.DefaultGate, Timeout: probe.DefaultTimeout, RequestTimeout: probe.DefaultRequestTimeout,
		Interval: probe.DefaultInterval, UserAgent: "envoy-wait/" + Version(),
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if !s.StartAnyway || s.Disabled || s.LogFormat != "auto" || s.LogLevel != "info" || s.HasCommand() || s.IsJob() || len(s.Warnings) > 0 {
		t.Errorf("%+v", s)
	}
	if s.Quit.Timeout != probe.DefaultQuitTimeout {
		t.Errorf("quit timeout %v", s.Quit.Timeout)
	}
}

// Each flag, by itself and by its variable, and the flag over the variable.
func TestEverySetting(t *testing.T) {
	tested := map[string]bool{"once": true, "install": true, "version": true, "help": true, "quit": true, "quit-url": true, "compat": true}
	for _, test := range []struct {
		flag, value, other string
		get                func(*Settings) any
		want               any
	}{
		{"url", "http://h:1/", "http://other/", func(s *Settings) any { return strings.Join(s.Probe.URLs, " ") }, "http://h:1/"},
		{"sidecar", "dapr", "envoy", func(s *Settings) any { return strings.Join(s.Probe.URLs, " ") }, "http://localhost:3500/v1.0/healthz/outbound"},
		{"ready-status", "204,3xx", "200", func(s *Settings) any { return len(accepted(s)) }, 1 + 100},
		{"absent-after", "3s", "2s", func(s *Settings) any { return s.Probe.AbsentAfter }, 3 * time.Second},
		{"timeout", "1m30s", "2s", func(s *Settings) any { return s.Probe.Timeout }, 90 * time.Second},
		{"timeout", "0", "2s", func(s *Settings) any { return s.Probe.Timeout }, probe.NoTimeout},
		{"on-timeout", "fail", "start", func(s *Settings) any { return s.StartAnyway }, false},
		{"request-timeout", "1ms", "2s", func(s *Settings) any { return s.Probe.RequestTimeout }, time.Millisecond},
		{"interval", "10ms", "2s", func(s *Settings) any { return s.Probe.Interval }, 10 * time.Millisecond},
		{"disabled", "true", "false", func(s *Settings) any { return s.Disabled }, true},
		{"quit-on", "success", "always", func(s *Settings) any { return s.QuitOnSuccess }, true},
		{"quit-timeout", "1m", "2s", func(s *Settings) any { return s.Quit.Timeout }, time.Minute},
		{"log-format", "json", "text", func(s *Settings) any { return s.LogFormat }, "json"},
		{"log-level", "error", "debug", func(s *Settings) any { return s.LogLevel }, "error"},
	} {
		tested[test.flag] = true
		flag := "--" + test.flag + "=" + test.value
		variable := "ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(test.flag, "-", "_"))
		for _, given := range []struct{ args, env []string }{
			{args: []string{flag}},
			{args: []string{"--" + test.flag + "=" + test.other, flag}, env: nil},
			{args: []string{flag, "--", "app"}},
			{env: []string{variable + "=" + test.value}},
			{args: []string{flag}, env: []string{variable + "=" + test.other}},
			{args: []string{flag}, env: []string{variable + "=nonsense"}},
			{args: []string{flag}, env: []string{variable + "="}},
		} {
			if len(given.args) == 2 && given.args[1] == flag && (test.flag == "url" || test.flag == "ready-status") {
				continue // they add up
			}
			s, err := parse(given.args, given.env)
			if err != nil || test.get(s) != test.want {
				t.Errorf("%v with %v: got %v, %v, want %v", given.args, given.env, test.get(s), err, test.want)
			}
		}
		s, err := parse(nil, []string{variable + "="})
		unset, _ := parse(nil, nil)
		if err != nil || test.get(s) != test.get(unset) {
			t.Errorf("an empty %s does not count as unset: %v, %v", variable, test.get(s), err)
		}
	}
	for _, flag := range Flags() {
		if !tested[flag.Name] {
			t.Errorf("--%s is not tested", flag.Name)
		}
	}
}

func TestQuitURLs(t *testing.T) {
	const list = "http://a/,unix:///s:/quit"
	for _, given := range []struct{ args, env []string }{
		{args: []string{"--quit-url", "http://a/", "--quit-url=unix:///s:/quit", "--quit-url", "http://a/", "app"}},
		{args: []string{"app"}, env: []string{"ENVOY_WAIT_QUIT_URL=" + list}},
		{args: []string{"--quit-url=http://a/", "--quit-url=unix:///s:/quit", "app"}, env: []string{"ENVOY_WAIT_QUIT_URL=http://b/"}},
	} {
		if s, err := parse(given.args, given.env); err != nil || !s.IsJob() || strings.Join(s.Quit.URLs, ",") != list {
			t.Errorf("%v: %v, %v", given, s.Quit.URLs, err)
		}
	}
	// A probe or an init container in the same Pod has the variable as well.
	for _, args := range [][]string{{"--once"}, {"--install", "/x"}} {
		if s, err := parse(args, []string{"ENVOY_WAIT_QUIT_URL=" + list}); err != nil || s.IsJob() {
			t.Errorf("%v: a Job is %v, %v", args, s.IsJob(), err)
		}
	}
}

// --quit is the quit URL of the sidecar.
func TestQuit(t *testing.T) {
	for _, p := range presets {
		s, err := parse([]string{"--sidecar", p.name, "--quit", "app"}, nil)
		if got := strings.Join(s.Quit.URLs, " "); got != p.quit || (err != nil) != (p.quit == "") {
			t.Errorf("%s: %s, %v", p.name, got, err)
		}
	}
	s, err := parse([]string{"--quit", "--quit-url", "http://h/", "app"}, nil)
	if err != nil || strings.Join(s.Quit.URLs, " ") != "http://h/" {
		t.Errorf("%v, %v", s.Quit.URLs, err)
	}
}

// Whatever is wrong elsewhere, a Job's valid quit URLs hold: else it never ends.
func TestQuitURLsHoldWithAnError(t *testing.T) {
	const quit, env = "http://h:1/q", "ENVOY_WAIT_QUIT_URL=http://h:1/q"
	for _, test := range []struct {
		args []string
		env  string
		job  bool
	}{
		{[]string{"--quit-url", quit, "--timeout", "60", "--", "app"}, "", true},
		{[]string{"--timeout", "60", "app"}, env, true},
		{[]string{"--quit-url", quit, "--tiemout", "60s", "--", "app"}, "", true},
		{[]string{"--tiemout", "60s", "--quit-url=" + quit, "--", "app"}, "", true},
		{[]string{"--tiemout", "60s", "app"}, env, true},
		{[]string{"--quit-url", quit, "--"}, "", true},
		{[]string{"--quit-url", quit, "--timeout", "--", "app"}, "", true},
		{[]string{"--quit-url", quit, "--quit-url", "tcp://h:1", "app"}, "", true},
		{[]string{"--quit-url", quit, "--quit-on", "never", "app"}, "", true},
		{[]string{"--quit-url", "tcp://h:1", "app"}, "", false},
		{[]string{"--quit-url", quit}, "", false}, // a script that waits only
		{[]string{"--timeout", "60"}, env, false},
		{[]string{"--once", "--timeout", "60"}, env, false},
		{[]string{"--install", "/x", "app"}, env, false},
	} {
		s, err := parse(test.args, []string{test.env})
		if err == nil || s.IsJob() != test.job || test.job && strings.Join(s.Quit.URLs, " ") != quit {
			t.Errorf("%v %s: quit %v, %v", test.args, test.env, s.Quit.URLs, err)
		}
	}
	s, err := parse([]string{"--quit", "--sidecar=consul", "--timeout=60", "app"}, nil)
	if err == nil || !slices.Equal(s.Quit.URLs, []string{"http://127.0.0.1:20600/graceful_shutdown"}) {
		t.Errorf("%v, %v", s.Quit.URLs, err)
	}
}

func TestSeveralURLs(t *testing.T) {
	for _, given := range []struct{ args, env []string }{
		{args: []string{"--url", "http://a/?x=1,2", "--url=http://b"}},
		{args: []string{"--url", "http://a/?x=1,2", "--url=http://b", "--url", "http://b"}, env: []string{"ENVOY_WAIT_URL=http://c"}},
	} {
		s, err := parse(given.args, given.env)
		if got := strings.Join(s.Probe.URLs, " "); err != nil || got != "http://a/?x=1,2 http://b" {
			t.Errorf("%v: got %s, %v", given, got, err)
		}
	}
	s, err := parse(nil, []string{"ENVOY_WAIT_URL=http://a,http://b,http://a"})
	if got := strings.Join(s.Probe.URLs, " "); err != nil || got != "http://a http://b" {
		t.Errorf("got %s, %v", got, err)
	}
}

// A preset brings its URL and status; --url and --ready-status go before them.
func TestPresets(t *testing.T) {
	for _, p := range presets {
		s, err := parse([]string{"--sidecar", p.name}, nil)
		if err != nil || strings.Join(s.Probe.URLs, " ") != p.ready || !slices.Equal(accepted(s), []int{map[string]int{"200": 200, "204": 204}[p.status]}) {
			t.Errorf("%s: %v, %v, %v", p.name, s.Probe.URLs, accepted(s), err)
		}
		for _, url := range []string{p.ready, p.quit} {
			if err := probe.ValidateURL(url); url != "" && err != nil {
				t.Errorf("%s: %s: %v", p.name, url, err)
			}
		}
		s, err = parse([]string{"--sidecar", p.name, "--url", "http://h/", "--ready-status", "2xx"}, nil)
		if got := accepted(s); err != nil || strings.Join(s.Probe.URLs, " ") != "http://h/" || len(got) != 100 || got[0] != 200 {
			t.Errorf("%s: %v, %v, %v", p.name, s.Probe.URLs, got, err)
		}
	}
	names := ""
	for _, p := range presets {
		names += "," + p.name
	}
	for _, flag := range Flags() {
		if flag.Name == "sidecar" && ","+strings.Join(flag.Values, ",") != names {
			t.Errorf("--sidecar takes %v, the presets are %s", flag.Values, names)
		}
	}
	if p := presets[0]; p.ready != probe.DefaultURL || p.name != "istio" {
		t.Errorf("the first is %v", p)
	}
}

// Only Istio's preset has a gate, and a --url takes it away.
func TestGate(t *testing.T) {
	for _, p := range presets {
		want := map[string]uint16{"istio": probe.DefaultGate}[p.name]
		if s, err := parse([]string{"--sidecar", p.name}, nil); err != nil || s.Probe.Gate != want {
			t.Errorf("%s: %d, %v, want %d", p.name, s.Probe.Gate, err, want)
		}
		if s, err := parse(nil, []string{"ENVOY_WAIT_SIDECAR=" + p.name, "ENVOY_WAIT_URL=" + p.ready}); err != nil || s.Probe.Gate != 0 {
			t.Errorf("%s, with a URL: %d, %v, want none", p.name, s.Probe.Gate, err)
		}
	}
}

// Hints may name a sidecar's parts for its own URLs, and Istio's for Istio's ports.
func TestSidecarOfAURL(t *testing.T) {
	for _, test := range []struct{ args, url, want string }{
		{"", probe.DefaultURL, "istio"},
		{"--sidecar=consul", "http://127.0.0.1:19000/ready", "consul"},
		{"--sidecar=consul --quit app", "http://127.0.0.1:20600/graceful_shutdown", "consul"},
		{"--url=http://localhost:15021/healthz/ready", "http://localhost:15021/healthz/ready", "istio"},
		{"--url=http://10.0.0.1:15000", "http://10.0.0.1:15000", "istio"},
		{"--url=http://h/?x=:15021", "http://h/?x=:15021", ""},
		{"--url=http://h:150210/", "http://h:150210/", ""},
		{"--url=http://localhost:3500/v1.0/healthz/outbound", "http://localhost:3500/v1.0/healthz/outbound", ""},
		{"--sidecar=envoy --url=http://localhost:15021/", "http://localhost:15021/", ""},
	} {
		if s, _ := parse(strings.Fields(test.args), nil); s.Sidecars[test.url] != test.want {
			t.Errorf("%s: %q, want %q", test.args, s.Sidecars[test.url], test.want)
		}
	}
}

func TestOnce(t *testing.T) {
	for args, want := range map[string]time.Duration{
		"": 5 * time.Second, "--once": 900 * time.Millisecond, "--once --request-timeout=3s": 3 * time.Second,
	} {
		s, err := parse(strings.Fields(args), nil)
		if err != nil || s.Probe.RequestTimeout != want || s.Probe.Once != (args != "") {
			t.Errorf("%s: %v, %v", args, s.Probe.RequestTimeout, err)
		}
	}
}

func TestCommand(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"app", "app"},
		{"-- app", "app"},
		{"--timeout 1s app --timeout 2s --help", "app|--timeout|2s|--help"},
		{"--disabled -- app --timeout 1s --help -- x", "app|--timeout|1s|--help|--|x"},
		{"app -- x", "app|--|x"},
		{"app --", "app|--"},
		{"app -- -- x", "app|--|--|x"},
		{"-- -h", "-h"},
		{"-- --version", "--version"},
		{"-- --", "--"},
		{"-- -- --", "--|--"},
		{"--disabled app $HOME ${x} ~ *", "app|$HOME|${x}|~|*"},
		{"", ""},
		{"--disabled", ""},
	} {
		s, err := parse(strings.Fields(test.args), nil)
		if got := strings.Join(s.Command, "|"); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.args, got, err, test.want)
		}
		if s.Probe.Timeout == 2*time.Second {
			t.Errorf("%s: a flag of the app was taken", test.args)
		}
	}
	for _, dashes := range [][]string{{"--"}, nil} {
		command := []string{"app\xbc", "", "--x=\xff y"}
		s, err := parse(append(dashes, command...), nil)
		if err != nil || !reflect.DeepEqual(s.Command, command) {
			t.Errorf("got %q, %v", s.Command, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	const (
		timeout  = "expected a duration such as 90s or 2m, or 0 to never give up"
		request  = "expected a duration above 0, such as 5s"
		interval = "expected a duration of at least 10ms, such as 500ms"
		status   = "expected statuses from 200 to 599 separated by commas, or a class such as 2xx"
		url      = "expected a URL such as http://localhost:15020/healthz/ready; "
		quit     = "expected a URL such as http://localhost:15020/quitquitquit; "
	)
	for _, test := range []struct{ flag, value, want string }{
		{"timeout", "5", timeout}, {"timeout", "-1s", timeout}, {"timeout", "1e9h", timeout},
		{"timeout", "9999999999h", timeout}, {"timeout", "60 s", timeout}, {"timeout", "--disabled", timeout},
		{"request-timeout", "0", request}, {"request-timeout", "-5s", request}, {"request-timeout", "x", request},
		{"interval", "0", interval}, {"interval", "9ms", interval}, {"interval", "500", interval},
		{"url", "localhost:15020", url + "the scheme must be http, https, tcp, unix or file"},
		{"url", "http://", url + "the host is missing"},
		{"url", "ftp://x", url + "the scheme must be http, https, tcp, unix or file"},
		{"url", "http://[::1", url + "not a valid URL"},
		{"url", "http://h:0", url + "the port must be from 1 to 65535"},
		{"url", "http://h:99999", url + "the port must be from 1 to 65535"},
		{"url", "http://h/\x01", url + "not a valid URL"},
		{"url", "tcp://h", url + "the port is missing"},
		{"url", "http://h/ ", url + "white space in the URL; separate URLs by commas, write a space as %20"}, {"url", " http://h/", url + "white space in the URL; separate URLs by commas, write a space as %20"},
		{"absent-after", "0", request}, {"absent-after", "5", request},
		{"sidecar", "nginx", "expected one of istio, envoy, consul, kuma, linkerd, dapr, cloud-sql-proxy"},
		{"ready-status", "200,", status}, {"ready-status", "99", status}, {"ready-status", "600", status}, {"ready-status", "101", status},
		{"ready-status", "2x", status}, {"ready-status", "xxx", status}, {"ready-status", "+20", status}, {"ready-status", "2xx 3xx", status}, {"ready-status", "2+0", status},
		{"quit-url", "http://", quit + "the host is missing"},
		{"quit-url", "tcp://h:1", quit + "the scheme must be http, https or unix"},
		{"quit-url", "file:///tmp/x", quit + "the scheme must be http, https or unix"},
		{"quit-url", "bad", quit + "the scheme must be http, https or unix"},
		{"quit-on", "failure", "expected one of always, success"},
		{"quit-timeout", "0", request}, {"quit-timeout", "5", request},
		{"on-timeout", "die", "expected one of start, fail"},
		{"on-timeout", "START", "expected one of start, fail"},
		{"disabled", "maybe", "expected true or false"},
		{"log-format", "xml", "expected one of auto, json, text"},
		{"log-level", "trace", "expected one of debug, info, warn, error"},
		{"log-level", "warning", "expected one of debug, info, warn, error"},
	} {
		args := []string{"--" + test.flag, test.value}
		if test.flag == "disabled" {
			args = []string{"--disabled=" + test.value}
		}
		variable := "ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(test.flag, "-", "_"))
		for name, given := range map[string]struct{ args, env []string }{
			"--" + test.flag: {args: args},
			variable:         {env: []string{variable + "=" + test.value}},
		} {
			_, err := parse(given.args, given.env)
			var bad *badValue
			if !errors.As(err, &bad) || bad.name != name || bad.value != test.value || !strings.HasSuffix(err.Error(), test.want) {
				t.Errorf("%v %v: got %v, want %s", given.args, given.env, err, test.want)
			}
			if err != nil && strings.ContainsAny(err.Error(), "\n\x01") {
				t.Errorf("more than one line, or a control character: %q", err)
			}
		}
	}
}

func TestBadLines(t *testing.T) {
	for _, test := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{"--tiemout", "5s", "--", "app"}, "", `unknown flag --tiemout, did you mean "--timeout"?; see envoy-wait --help`},
		{[]string{"--a\n\x1b[2Jb"}, "", "unknown flag --a\n\x1b[2Jb; see envoy-wait --help"},
		{[]string{"-t"}, "", `unknown flag -t, did you mean "-h"?; see envoy-wait --help`},
		{[]string{"--timeout", "0.1ns"}, "", `--timeout: "0.1ns": expected a duration such as 90s or 2m, or 0 to never give up`},
		{[]string{"--timeout"}, "", `--timeout: the value is missing; expected a duration such as 90s or 2m, or 0 to never give up`},
		{[]string{"--timeout", "--", "app"}, "", `--timeout: the value is missing; expected a duration such as 90s or 2m, or 0 to never give up`},
		{[]string{"--"}, "", `expected a command after "--"; without a command leave out the "--"`},
		{[]string{"--disabled", "--"}, "", `expected a command after "--"; without a command leave out the "--"`},
		{[]string{"--quit-url", "http://a"}, "", `expected a command: --quit and --quit-url, their variables and scuttle's quit the sidecar after it`},
		{nil, "ENVOY_WAIT_QUIT_URL=http://a", `expected a command: --quit and --quit-url, their variables and scuttle's quit the sidecar after it`},
		{[]string{"--disabled", "--url"}, "", `--url: the value is missing; expected a URL such as http://localhost:15020/healthz/ready; the scheme must be http, https, tcp, unix or file`},
		{nil, "ENVOY_WAIT_URL=http://a , http://b", `ENVOY_WAIT_URL: "http://a , http://b": expected a URL such as http://localhost:15020/healthz/ready; white space in the URL; separate URLs by commas, write a space as %20`},
		{[]string{"--quit=http://u:secret@h/", "app"}, "", `--quit: "http://xxxxx@h/": expected true or false`},
		{[]string{"--once=http://u:secret@h/"}, "", `--once: "http://xxxxx@h/": expected true or false`},
		{[]string{"--timeout=http://u:secret@h/"}, "", `--timeout: "http://xxxxx@h/": expected a duration such as 90s or 2m, or 0 to never give up`},
		{[]string{"--log-level=http://u:secret@h/"}, "", `--log-level: "http://xxxxx@h/": expected one of debug, info, warn, error`},
		{[]string{"--quit-url", "http://me:secret@h:0", "app"}, "", `--quit-url: "http://xxxxx@h:0": expected a URL such as http://localhost:15020/quitquitquit; the port must be from 1 to 65535`},
		{[]string{"--once", "app"}, "", `--once: "app": expected no command`},
		{[]string{"--once", "--", "app"}, "", `--once: "app": expected no command`},
		{[]string{"--install", "/x", "--once"}, "", `--install: "/x": expected a path, and neither a command nor --once`},
		{[]string{"--install=", "app"}, "", `--install: the value is missing; expected a path, and neither a command nor --once`},
		{[]string{"--quit", "app"}, "ENVOY_WAIT_SIDECAR=kuma", `--sidecar or ENVOY_WAIT_SIDECAR: "kuma": expected a sidecar that a POST can quit, or a --quit-url, with --quit`},
		{nil, "ENVOY_WAIT_URL=http://a,,http://b", `ENVOY_WAIT_URL: "http://a,,http://b": expected URLs separated by single commas; one of them is empty`},
		{nil, "ENVOY_WAIT_URL=http://a,", `ENVOY_WAIT_URL: "http://a,": expected URLs separated by single commas; one of them is empty`},
		{[]string{"--url", "http://me:secret@h:0"}, "", `--url: "http://xxxxx@h:0": expected a URL such as http://localhost:15020/healthz/ready; the port must be from 1 to 65535`},
	} {
		_, err := parse(test.args, []string{test.env})
		if err == nil || err.Error() != test.want {
			t.Errorf("%q %s:\ngot  %v\nwant %s", test.args, test.env, err, test.want)
		}
	}
}

// The format that was asked for holds with an error, wherever it stands.
func TestFormatOfAnError(t *testing.T) {
	for _, test := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{"--log-format=text", "--timeout=x"}, "", "text"},
		{[]string{"--timeout=x", "--log-format=text"}, "", "text"},
		{[]string{"--tiemout=x", "--log-format", "text"}, "", "text"},
		{[]string{"--timeout=x"}, "ENVOY_WAIT_LOG_FORMAT=text", "text"},
		{[]string{"--log-format=json", "--timeout=x"}, "ENVOY_WAIT_LOG_FORMAT=text", "json"},
		{[]string{"--log-format=xml"}, "", "auto"},
	} {
		s, err := parse(test.args, []string{test.env})
		if err == nil || s.LogFormat != test.want {
			t.Errorf("%v %s: got %q, %v", test.args, test.env, s.LogFormat, err)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	parser, err := newParser()
	if err != nil {
		t.Fatal(err)
	}
	known := variables(parser.Model)
	for name, unknown := range map[string]bool{
		"ENVOY_WAIT_TIMEOUT": false, "ENVOY_WAIT_URL": false, "ENVOY_WAITING": false, "HOME": false,
		"ENVOY_WAIT_TIMOUT": true, "ENVOY_WAIT_URLS": true, "ENVOY_WAIT_HELP": true, "ENVOY_WAIT_ONCE": true, "ENVOY_WAIT_INSTALL": true, "ENVOY_WAIT_VERSION": true,
		"ENVOY_WAIT_": true, "ENVOY_WAIT_timeout": true, "ENVOY_WAIT_PORTS": true, "ENVOY_WAIT_EXPORT_X": true,
		"ENVOY_WAIT_SERVICE_HOST": false, "ENVOY_WAIT_SERVICE_PORT": false, "ENVOY_WAIT_SERVICE_PORT_HTTP": false,
		"ENVOY_WAIT_PORT": false, "ENVOY_WAIT_PORT_80_TCP": false, "ENVOY_WAIT_PORT_80_TCP_ADDR": false,
		"ENVOY_WAIT_PORT_80_TCP_PORT": false, "ENVOY_WAIT_PORT_53_UDP_PROTO": false, "ENVOY_WAIT_PORT_9_SCTP": false,
		"ENVOY_WAIT_CANARY_SERVICE_HOST": false, "ENVOY_WAIT_CANARY_PORT_80_TCP_ADDR": false,
	} {
		if got := unknownVariables([]string{name + "=x"}, known); (len(got) == 1) != unknown {
			t.Errorf("%s: got %v", name, got)
		}
		if got := unknownVariables([]string{name + "="}, known); len(got) != 0 {
			t.Errorf("%s empty: got %v", name, got)
		}
	}
}

// One warning, however many there are.
func TestWarningOfUnknownVariables(t *testing.T) {
	s, err := parse(nil, []string{"ENVOY_WAIT_TIMOUT=1s", "ENVOY_WAIT_PROXY=istio"})
	if err != nil || len(s.Warnings) != 1 || !strings.HasPrefix(s.Warnings[0], "ENVOY_WAIT_TIMOUT, ENVOY_WAIT_PROXY: unknown variable, ignored; known are ENVOY_WAIT_SIDECAR, ENVOY_WAIT_URL, ") {
		t.Errorf("%q, %v", s.Warnings, err)
	}
}

func TestHelp(t *testing.T) {
	var help strings.Builder
	s, err := Parse([]string{"envoy-wait", "--help", "--timeout", "x", "--", "app"}, []string{"ENVOY_WAIT_INTERVAL=bad"}, &help)
	if err != nil || !s.Answered || help.String() != helpText {
		t.Fatal(s, err)
	}
	for line := range strings.Lines(help.String()) {
		if len(line) > 80+1 || strings.TrimRight(line, " \n")+"\n" != line {
			t.Errorf("more than 80 columns, or a space at the end: %q", line)
		}
	}
	for _, flag := range Flags() {
		if !strings.Contains(help.String(), "\n  --"+flag.Name+" ") || flag.Help == "" || flag.Group == "" {
			t.Errorf("not complete: %+v", flag)
		}
		if want := "ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_")); flag.Variable != "" && flag.Variable != want {
			t.Errorf("--%s has the variable %s", flag.Name, flag.Variable)
		}
		if flag.Default != "" && len(flag.Values) > 0 && !slices.Contains(flag.Values, flag.Default) {
			t.Errorf("--%s: its default is none of its values", flag.Name)
		}
	}
}

func TestAnswerThatCannotBeWritten(t *testing.T) {
	for _, flag := range []string{"--help", "--version", "-h"} {
		if s, err := Parse([]string{"envoy-wait", flag}, nil, fullDisk{}); err == nil || !s.Answered {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestLiveLine(t *testing.T) {
	for env, want := range map[string]bool{
		"TERM=xterm": true, "TERM=linux NO_COLOR=": true, "": false, "TERM=": false, "TERM=dumb": false, "TERM=xterm NO_COLOR=1": false,
	} {
		if s, err := parse(nil, strings.Fields(env)); err != nil || s.LiveLine != want {
			t.Errorf("%s: %v, %v", env, s.LiveLine, err)
		}
	}
}
