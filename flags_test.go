package main

import (
	"errors"
	"io"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

func TestDefaultsAreThoseOfProbe(t *testing.T) {
	s, err := parse(nil, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	got := s.probeConfig(nil)
	for status := range 600 {
		if status >= 100 && got.Accepts(status) != (status == 200) {
			t.Errorf("status %d is accepted: %v", status, got.Accepts(status))
		}
	}
	got.Accepts = nil
	want := probe.Config{
		URLs: []string{probe.DefaultURL}, Timeout: probe.DefaultTimeout, RequestTimeout: probe.DefaultRequestTimeout,
		Interval: probe.DefaultInterval, UserAgent: got.UserAgent,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if s.OnTimeout != "start" || bool(s.Disabled) || s.LogFormat != "auto" || s.LogLevel != "info" || s.hasCommand() {
		t.Errorf("%+v", s)
	}
}

// Every flag, by itself and by its variable; and the flag over the variable.
func TestEverySetting(t *testing.T) {
	for _, test := range []struct {
		flag, variable, value, other string
		get                          func(*settings) any
		want                         any
	}{
		{"--url", "ENVOY_WAIT_URL", "http://h:1/", "http://other/", func(s *settings) any { return strings.Join(s.URLs, " ") }, "http://h:1/"},
		{"--proxy", "ENVOY_WAIT_PROXY", "dapr", "envoy", func(s *settings) any { return string(s.Proxy) + strings.Join(s.URLs, " ") }, "daprhttp://localhost:3500/v1.0/healthz/outbound"},
		{"--status", "ENVOY_WAIT_STATUS", "204,3xx", "200", func(s *settings) any { return strings.Join(s.Status, " ") }, "204 3xx"},
		{"--absent-after", "ENVOY_WAIT_ABSENT_AFTER", "3s", "2s", func(s *settings) any { return time.Duration(s.AbsentAfter) }, 3 * time.Second},
		{"--timeout", "ENVOY_WAIT_TIMEOUT", "1m30s", "2s", func(s *settings) any { return time.Duration(s.Timeout) }, 90 * time.Second},
		{"--on-timeout", "ENVOY_WAIT_ON_TIMEOUT", "fail", "start", func(s *settings) any { return string(s.OnTimeout) }, "fail"},
		{"--request-timeout", "ENVOY_WAIT_REQUEST_TIMEOUT", "1ms", "2s", func(s *settings) any { return time.Duration(s.RequestTimeout) }, time.Millisecond},
		{"--interval", "ENVOY_WAIT_INTERVAL", "10ms", "2s", func(s *settings) any { return time.Duration(s.Interval) }, 10 * time.Millisecond},
		{"--disabled", "ENVOY_WAIT_DISABLED", "true", "false", func(s *settings) any { return bool(s.Disabled) }, true},
		{"--quit-on", "ENVOY_WAIT_QUIT_ON", "success", "exit", func(s *settings) any { return string(s.QuitOn) }, "success"},
		{"--quit-timeout", "ENVOY_WAIT_QUIT_TIMEOUT", "1m", "2s", func(s *settings) any { return time.Duration(s.QuitTimeout) }, time.Minute},
		{"--log-format", "ENVOY_WAIT_LOG_FORMAT", "json", "text", func(s *settings) any { return string(s.LogFormat) }, "json"},
		{"--log-level", "ENVOY_WAIT_LOG_LEVEL", "error", "debug", func(s *settings) any { return string(s.LogLevel) }, "error"},
	} {
		for _, given := range []struct{ args, env []string }{
			{args: []string{test.flag + "=" + test.value}},
			{args: []string{test.flag + "=" + test.value, "--", "app"}},
			{env: []string{test.variable + "=" + test.value}},
			{args: []string{test.flag + "=" + test.value}, env: []string{test.variable + "=" + test.other}},
			{args: []string{test.flag + "=" + test.value}, env: []string{test.variable + "=nonsense"}},
			{args: []string{test.flag + "=" + test.value}, env: []string{test.variable + "="}},
		} {
			s, err := parse(given.args, given.env, io.Discard)
			if err != nil || test.get(s) != test.want {
				t.Errorf("%v with %v: got %v, %v, want %v", given.args, given.env, test.get(s), err, test.want)
			}
		}
		s, err := parse(nil, []string{test.variable + "="}, io.Discard)
		unset, _ := parse(nil, nil, io.Discard)
		if err != nil || test.get(s) != test.get(unset) {
			t.Errorf("an empty %s does not count as unset: %v, %v", test.variable, test.get(s), err)
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
		if s, err := parse(given.args, given.env, io.Discard); err != nil || !s.isJob() || strings.Join(s.QuitURLs, ",") != list {
			t.Errorf("%v: %v, %v", given, s.QuitURLs, err)
		}
	}
	// A probe or an init container in the same Pod has the variable as well.
	for _, args := range [][]string{{"--once"}, {"--install", "/x"}} {
		if s, err := parse(args, []string{"ENVOY_WAIT_QUIT_URL=" + list}, io.Discard); err != nil || s.isJob() {
			t.Errorf("%v: a Job is %v, %v", args, s.isJob(), err)
		}
	}
}

func TestSeveralURLs(t *testing.T) {
	for _, given := range []struct{ args, env []string }{
		{args: []string{"--url", "http://a/?x=1,2", "--url=http://b"}},
		{args: []string{"--url", "http://a/?x=1,2", "--url=http://b", "--url", "http://b"}, env: []string{"ENVOY_WAIT_URL=http://c"}},
	} {
		s, err := parse(given.args, given.env, io.Discard)
		if got := strings.Join(s.URLs, " "); err != nil || got != "http://a/?x=1,2 http://b" {
			t.Errorf("%v: got %s, %v", given, got, err)
		}
	}
	s, err := parse(nil, []string{"ENVOY_WAIT_URL=http://a,http://b,http://a"}, io.Discard)
	if got := strings.Join(s.URLs, " "); err != nil || got != "http://a http://b" {
		t.Errorf("got %s, %v", got, err)
	}
}

// A proxy brings its URL and status; --url and --status go before them.
func TestProxies(t *testing.T) {
	for _, p := range proxies {
		s, err := parse([]string{"--proxy", p.name}, nil, io.Discard)
		if err != nil || strings.Join(s.URLs, " ") != p.ready || strings.Join(s.Status, ",") != p.status {
			t.Errorf("%s: %v, %v, %v", p.name, s.URLs, s.Status, err)
		}
		for _, url := range []string{p.ready, p.quit} {
			if err := probe.ValidateURL(url); url != "" && err != nil {
				t.Errorf("%s: %s: %v", p.name, url, err)
			}
		}
		s, err = parse([]string{"--proxy", p.name, "--url", "http://h/", "--status", "2xx"}, nil, io.Discard)
		if err != nil || strings.Join(s.URLs, " ") != "http://h/" || !s.Status.contain(299) || s.Status.contain(300) {
			t.Errorf("%s: %v, %v, %v", p.name, s.URLs, s.Status, err)
		}
	}
	if p := proxies[0]; p.ready != probe.DefaultURL || p.name != "istio" {
		t.Errorf("the first is %v", p)
	}
}

func TestRequestTimeoutOfOneAttempt(t *testing.T) {
	for args, want := range map[string]time.Duration{
		"": 5 * time.Second, "--once": 900 * time.Millisecond, "--once --request-timeout=3s": 3 * time.Second,
	} {
		s, err := parse(strings.Fields(args), nil, io.Discard)
		if got := s.probeConfig(nil); err != nil || got.RequestTimeout != want || got.Once != (args != "") {
			t.Errorf("%s: %v, %v", args, got.RequestTimeout, err)
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
		s, err := parse(strings.Fields(test.args), nil, io.Discard)
		if got := strings.Join(s.Command, "|"); err != nil || got != test.want {
			t.Errorf("%s: got %s, %v, want %s", test.args, got, err, test.want)
		}
		if s.Timeout == duration(2*time.Second) {
			t.Errorf("%s: a flag of the app was taken", test.args)
		}
	}
	for _, dashes := range [][]string{{"--"}, nil} {
		command := []string{"app\xbc", "", "--x=\xff y"}
		s, err := parse(append(dashes, command...), nil, io.Discard)
		if err != nil || !reflect.DeepEqual(s.Command, command) {
			t.Errorf("got %q, %v", s.Command, err)
		}
	}
}

func TestBadInput(t *testing.T) {
	const (
		timeout  = "expected a duration such as 90s or 2m, or 0 to wait for ever"
		request  = "expected a duration above 0, such as 5s"
		interval = "expected a duration of at least 10ms, such as 500ms"
		status   = "expected statuses from 200 to 599 separated by commas, or a class such as 2xx"
		url      = "expected a URL such as http://localhost:15020/healthz/ready; "
		quit     = "expected a URL such as http://localhost:15020/quitquitquit; "
	)
	for _, test := range []struct{ flag, value, want string }{
		{"timeout", "5", timeout}, {"timeout", "-1s", timeout}, {"timeout", "1e9h", timeout}, {"timeout", "", timeout},
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
		{"absent-after", "0", request}, {"absent-after", "5", request},
		{"proxy", "nginx", "expected one of istio, envoy, consul, appmesh, kuma, linkerd, gloo, dapr, cloud-sql-proxy"},
		{"status", "", status}, {"status", "200,", status}, {"status", "99", status}, {"status", "600", status}, {"status", "101", status},
		{"status", "2x", status}, {"status", "xxx", status}, {"status", "+20", status}, {"status", "2xx 3xx", status}, {"status", "2+0", status},
		{"quit-url", "http://", quit + "the host is missing"},
		{"quit-url", "tcp://h:1", quit + "the scheme must be http, https or unix"},
		{"quit-url", "file:///tmp/x", quit + "the scheme must be http, https or unix"},
		{"quit-on", "failure", "expected one of exit, success"},
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
			if name == variable && test.value == "" {
				continue // unset
			}
			_, err := parse(given.args, given.env, io.Discard)
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
		{[]string{"--a\n\x1b[2Jb"}, "", `unknown flag --a??[2Jb; see envoy-wait --help`},
		{[]string{"-t"}, "", `unknown flag -t, did you mean "-h"?; see envoy-wait --help`},
		{[]string{"--timeout"}, "", `--timeout: the value is missing; see envoy-wait --help`},
		{[]string{"--timeout", "--", "app"}, "", `--timeout: the value is missing; see envoy-wait --help`},
		{[]string{"--"}, "", `expected a command after "--"; without a command leave out the "--"`},
		{[]string{"--disabled", "--"}, "", `expected a command after "--"; without a command leave out the "--"`},
		{[]string{"--quit-url", "http://a"}, "", `expected a command: with --quit or --quit-url, or their variables, or scuttle's, the sidecar is told to quit after it`},
		{nil, "ENVOY_WAIT_QUIT_URL=http://a", `expected a command: with --quit or --quit-url, or their variables, or scuttle's, the sidecar is told to quit after it`},
		{[]string{"--quit-url", "http://me:secret@h:0", "app"}, "", `--quit-url: "http://xxxxx@h:0": expected a URL such as http://localhost:15020/quitquitquit; the port must be from 1 to 65535`},
		{[]string{"--once", "app"}, "", `--once: "app": expected no command`},
		{[]string{"--once", "--", "app"}, "", `--once: "app": expected no command`},
		{[]string{"--install", "/x", "--once"}, "", `--install: "/x": expected a path, and neither a command nor --once`},
		{[]string{"--install=", "app"}, "", `--install: "": expected a path, and neither a command nor --once`},
		{[]string{"--quit", "app"}, "ENVOY_WAIT_PROXY=kuma", `--proxy or ENVOY_WAIT_PROXY: "kuma": expected one that a POST ends, or a --quit-url, with --quit`},
		{nil, "ENVOY_WAIT_URL=http://a,,http://b", `ENVOY_WAIT_URL: "http://a,,http://b": expected URLs separated by single commas; one of them is empty`},
		{nil, "ENVOY_WAIT_URL=http://a,", `ENVOY_WAIT_URL: "http://a,": expected URLs separated by single commas; one of them is empty`},
		{[]string{"--url", "http://me:secret@h:0"}, "", `--url: "http://xxxxx@h:0": expected a URL such as http://localhost:15020/healthz/ready; the port must be from 1 to 65535`},
	} {
		_, err := parse(test.args, []string{test.env}, io.Discard)
		if err == nil || err.Error() != test.want {
			t.Errorf("%q %s:\ngot  %v\nwant %s", test.args, test.env, err, test.want)
		}
	}
}

// A configuration error is in the format that was asked for, if that much is known.
func TestFormatOfAnError(t *testing.T) {
	for _, test := range []struct {
		args []string
		env  string
		want word
	}{
		{[]string{"--log-format=text", "--timeout=x"}, "", "text"},
		{[]string{"--timeout=x", "--log-format=text"}, "", ""},
		{[]string{"--timeout=x"}, "ENVOY_WAIT_LOG_FORMAT=text", "text"},
		{[]string{"--log-format=json", "--timeout=x"}, "ENVOY_WAIT_LOG_FORMAT=text", "json"},
	} {
		s, err := parse(test.args, []string{test.env}, io.Discard)
		if err == nil || s.LogFormat != test.want {
			t.Errorf("%v %s: got %q, %v", test.args, test.env, s.LogFormat, err)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	s, err := parse(nil, nil, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for name, unknown := range map[string]bool{
		"ENVOY_WAIT_TIMEOUT": false, "ENVOY_WAIT_URL": false, "ENVOY_WAITING": false, "HOME": false,
		"ENVOY_WAIT_TIMOUT": true, "ENVOY_WAIT_URLS": true, "ENVOY_WAIT_HELP": true, "ENVOY_WAIT_ONCE": true, "ENVOY_WAIT_INSTALL": true, "ENVOY_WAIT_VERSION": true,
		"ENVOY_WAIT_": true, "ENVOY_WAIT_timeout": true, "ENVOY_WAIT_PORTS": true, "ENVOY_WAIT_EXPORT_X": true,
		"ENVOY_WAIT_SERVICE_HOST": false, "ENVOY_WAIT_SERVICE_PORT": false, "ENVOY_WAIT_SERVICE_PORT_HTTP": false,
		"ENVOY_WAIT_PORT": false, "ENVOY_WAIT_PORT_80_TCP": false, "ENVOY_WAIT_PORT_80_TCP_ADDR": false,
		"ENVOY_WAIT_PORT_80_TCP_PORT": false, "ENVOY_WAIT_PORT_53_UDP_PROTO": false, "ENVOY_WAIT_PORT_9_SCTP": false,
		"ENVOY_WAIT_CANARY_SERVICE_HOST": false, "ENVOY_WAIT_CANARY_PORT_80_TCP_ADDR": false,
	} {
		if got := unknownVariables([]string{name + "=x"}, s.variables); (len(got) == 1) != unknown {
			t.Errorf("%s: got %v", name, got)
		}
		if got := unknownVariables([]string{name + "="}, s.variables); len(got) != 0 {
			t.Errorf("%s empty: got %v", name, got)
		}
	}
}

// The help and the README's usage block are one text.
func TestHelpIsInTheReadme(t *testing.T) {
	t.Setenv("COLUMNS", "20")
	var help strings.Builder
	if s, err := parse([]string{"--help", "--", "app"}, []string{"ENVOY_WAIT_TIMEOUT=bad"}, &help); err != nil || !s.answered {
		t.Fatal(s, err)
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```text\n(Usage: .*?)```\n").FindSubmatch(readme)
	if block == nil || string(block[1]) != help.String() {
		t.Errorf("README.md differs from --help:\n%s", help.String())
	}
}

func TestHelpThatCannotBeWritten(t *testing.T) {
	for _, flag := range []string{"--help", "--version"} {
		_, err := parse([]string{flag}, nil, fullDisk{})
		if code := exitCode(err); code != exitFailure {
			t.Errorf("%s: exit status %d, want 125", flag, code)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }
