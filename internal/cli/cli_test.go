package cli

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

// parse is Parse for a program that is called by its own name.
func parse(args, env []string) (*Settings, error) {
	return Parse(append([]string{"/usr/local/bin/envoy-wait"}, args...), env)
}

// accepted lists the statuses that count as ready at the first URL.
func accepted(s *Settings) []int { return acceptedAt(s, s.Probe.URLs[0]) }

func acceptedAt(s *Settings, url string) (statuses []int) {
	for status := range 1000 {
		if s.Probe.Accepts(url, status) {
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
	for _, flag := range model(t) {
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

// --quit is the quit URL of the sidecar, and --quit-url comes on top of it.
func TestQuit(t *testing.T) {
	const other = "http://h/"
	for _, p := range Presets {
		s, err := parse([]string{"--sidecar", p.Name, "--quit", "app"}, nil)
		if got := strings.Join(s.Quit.URLs, " "); got != p.Quit || (err != nil) != (p.Quit == "") {
			t.Errorf("%s: got %s, %v, want %q", p.Name, got, err, p.Quit)
		}
		for _, given := range []struct{ args, env []string }{
			{args: []string{"--sidecar", p.Name, "--quit", "--quit-url", other, "app"}},
			{args: []string{"--sidecar", p.Name, "--quit-url", other, "app"}, env: []string{"ENVOY_WAIT_QUIT=true"}},
			{args: []string{"--sidecar", p.Name, "--quit", "app"}, env: []string{"ENVOY_WAIT_QUIT_URL=" + other}},
		} {
			s, err = parse(given.args, given.env)
			if got, want := strings.Join(s.Quit.URLs, " "), strings.TrimSpace(p.Quit+" "+other); err != nil || got != want {
				t.Errorf("%q %q: got %s, %v, want %s", given.args, given.env, got, err, want)
			}
		}
	}
	if s, err := parse([]string{"--quit=false", "--quit-url", other, "app"}, nil); err != nil || !slices.Equal(s.Quit.URLs, []string{other}) {
		t.Errorf("got %v, %v, want %s alone", s.Quit.URLs, err, other)
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
		{[]string{"--quit-url", quit + ",tcp://h:1", "app"}, "", true},
		{[]string{"--quit-url=tcp://h:1," + quit, "app"}, "", true},
		{[]string{"app"}, "ENVOY_WAIT_QUIT_URL=tcp://h:1," + quit, true},
		{[]string{"--quit-url", quit, "-timeout", "5s", "--", "app"}, "", true},
		{[]string{"--quit-url", quit, "--wait", "app"}, "", true}, // app may be its value, or the command
		{[]string{"--wait", "app", "x"}, env, true},
		{[]string{"--quit-url", quit, "--quit-on", "never", "app"}, "", true},
		{[]string{"--quit-url", "tcp://h:1", "app"}, "", false},
		{[]string{"--quit-url", quit}, "", false}, // a script that waits only
		{[]string{"--timeout", "60"}, env, false},
		{[]string{"--once", "--timeout", "60"}, env, false},
		{[]string{"--install", "/x", "app"}, env, false},
		{[]string{"--sidecar", "nope", "--quit", "--", "app"}, "", false}, // it may be another's
		{[]string{"--sidecar", "nope", "--quit", "--", "app"}, env, true},
		{[]string{"--quit", "app"}, "ENVOY_WAIT_SIDECAR=nope", false},
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

// Commas separate URLs, in a variable and on the line.
func TestSeveralURLs(t *testing.T) {
	const want = "http://a/?x=1%2C2 http://b"
	for _, given := range []struct{ args, env []string }{
		{args: []string{"--url", "http://a/?x=1%2C2", "--url=http://b"}},
		{args: []string{"--url", "http://a/?x=1%2C2,http://b", "--url", "http://b"}, env: []string{"ENVOY_WAIT_URL=http://c"}},
		{env: []string{"ENVOY_WAIT_URL=http://a/?x=1%2C2,http://b,http://b"}},
	} {
		s, err := parse(given.args, given.env)
		if got := strings.Join(s.Probe.URLs, " "); err != nil || got != want {
			t.Errorf("%v: got %s, %v, want %s", given, got, err, want)
		}
	}
}

// A port that Dapr's injector has moved is not asked by the preset.
func TestMovedPort(t *testing.T) {
	const want = `DAPR_HTTP_PORT: "3501": --sidecar dapr asks http://localhost:3500/v1.0/healthz/outbound: use --url with that port, and --ready-status 204`
	for _, test := range []struct{ args, env, want string }{
		{"--sidecar dapr", "DAPR_HTTP_PORT=3501", want}, {"--sidecar dapr", "DAPR_HTTP_PORT=3500", ""}, {"--sidecar dapr", "DAPR_HTTP_PORT=", ""},
		{"", "DAPR_HTTP_PORT=3501", ""}, {"--sidecar envoy", "DAPR_HTTP_PORT=3501", ""},
	} {
		s, err := parse(strings.Fields(test.args), []string{test.env})
		if got := strings.Join(s.Warnings, " "); err != nil || got != test.want {
			t.Errorf("%s %s: got %s, %v, want %s", test.args, test.env, got, err, test.want)
		}
	}
}

// A quit timeout that is given counts more than a guess about the sidecar: who reads the settings has to know.
func TestQuitTimeoutGiven(t *testing.T) {
	for _, test := range []struct {
		args, env string
		want      bool
	}{
		{"--quit app", "", false}, {"--quit --quit-timeout 5s app", "", true}, {"--quit app", "ENVOY_WAIT_QUIT_TIMEOUT=5s", true},
		{"--quit app", "ENVOY_WAIT_QUIT_TIMEOUT=", false}, {"--compat scuttle app", "QUIT_REQUEST_TIMEOUT=5s", false},
	} {
		if s, err := parse(strings.Fields(test.args), []string{test.env}); err != nil || s.QuitTimeoutGiven != test.want {
			t.Errorf("%s %s: got %v, %v, want %v", test.args, test.env, s.QuitTimeoutGiven, err, test.want)
		}
	}
}

// A preset brings its URL and status. The default one counts only where neither --sidecar nor --url is given; what is
// named is awaited, by flag or by variable.
func TestPresets(t *testing.T) {
	for _, p := range Presets {
		gate := map[string]uint16{"istio": probe.DefaultGate}[p.Name]
		for _, test := range []struct {
			args, env []string
			urls      string
			gate      uint16
		}{
			{[]string{"--sidecar", p.Name}, nil, p.Ready, gate},
			{nil, []string{"ENVOY_WAIT_SIDECAR=" + p.Name}, p.Ready, gate},
			{[]string{"--sidecar", p.Name, "--url", "http://h/"}, nil, p.Ready + " http://h/", 0},
			{[]string{"--url", "http://h/,http://i/"}, []string{"ENVOY_WAIT_SIDECAR=" + p.Name}, p.Ready + " http://h/ http://i/", 0},
			{[]string{"--sidecar", p.Name}, []string{"ENVOY_WAIT_URL=http://h/"}, p.Ready + " http://h/", 0},
			{nil, []string{"ENVOY_WAIT_SIDECAR=" + p.Name, "ENVOY_WAIT_URL=http://h/"}, p.Ready + " http://h/", 0},
			{nil, []string{"ENVOY_WAIT_SIDECAR=" + p.Name, "ENVOY_WAIT_URL=" + p.Ready}, p.Ready, 0},
			{nil, []string{"ENVOY_WAIT_SIDECAR=", "ENVOY_WAIT_URL=http://h/"}, "http://h/", 0},
			{[]string{"--url", "http://h/"}, nil, "http://h/", 0},
		} {
			s, err := parse(test.args, test.env)
			if got := strings.Join(s.Probe.URLs, " "); err != nil || got != test.urls || s.Probe.Gate != test.gate {
				t.Errorf("%q %q: got %s, gate %d, %v, want %s, gate %d", test.args, test.env, got, s.Probe.Gate, err, test.urls, test.gate)
			}
		}
		if err := probe.ValidateURL(p.Ready); err != nil {
			t.Errorf("%s: %s: %v", p.Name, p.Ready, err)
		}
		if err := probe.ValidateQuitURL(p.Quit); p.Quit != "" && err != nil {
			t.Errorf("%s: %s: %v", p.Name, p.Quit, err)
		}
	}
	if p := Presets[0]; p.Ready != probe.DefaultURL || p.Name != "istio" {
		t.Errorf("the first is %+v, want Istio's, as in probe", p)
	}
}

// --ready-status counts for all URLs. Without it the sidecar's URL has the sidecar's status, and all others 200.
func TestReadyStatus(t *testing.T) {
	const other = "http://h/"
	for _, p := range Presets {
		s, err := parse([]string{"--sidecar", p.Name, "--url", other}, nil)
		if got := acceptedAt(s, p.Ready); err != nil || !slices.Equal(got, []int{p.Status}) {
			t.Errorf("%s: got %v, %v, want %d", p.Name, got, err, p.Status)
		}
		if got := acceptedAt(s, other); !slices.Equal(got, []int{200}) {
			t.Errorf("%s, beside it: got %v, want 200", p.Name, got)
		}
		s, err = parse([]string{"--sidecar", p.Name, "--url", other, "--ready-status", "2xx,307"}, nil)
		for _, url := range []string{p.Ready, other} {
			if got := acceptedAt(s, url); err != nil || len(got) != 101 || got[0] != 200 || got[100] != 307 {
				t.Errorf("%s, %s: got %v, %v, want 200 to 299 and 307", p.Name, url, got, err)
			}
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
	var names []string
	for _, p := range Presets {
		names = append(names, p.Name)
	}
	const (
		timeout  = "expected a duration such as 90s, at least 0s"
		request  = "expected a duration such as 90s, at least 1ms"
		interval = "expected a duration such as 90s, at least 10ms"
		status   = "expected statuses from 200 to 599 separated by commas, or a class such as 2xx"
		url      = "expected a URL such as http://localhost:15020/healthz/ready (a comma inside is %2C); "
		quit     = "expected a URL such as http://localhost:15020/quitquitquit (a comma inside is %2C); "
	)
	for _, test := range []struct{ flag, value, want string }{
		{"timeout", "5", timeout}, {"timeout", "-1s", timeout}, {"timeout", "1e9h", timeout},
		{"timeout", "9999999999h", timeout}, {"timeout", "60 s", timeout}, {"timeout", "--disabled", timeout}, {"timeout", "0.1ns", timeout},
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
		{"sidecar", "nginx", "expected one of " + strings.Join(names, ", ")},
		{"ready-status", "200,", status}, {"ready-status", "99", status}, {"ready-status", "600", status}, {"ready-status", "101", status},
		{"ready-status", "2x", status}, {"ready-status", "xxx", status}, {"ready-status", "+20", status}, {"ready-status", "2xx 3xx", status}, {"ready-status", "2+0", status},
		{"quit-url", "http://", quit + "the host is missing"},
		{"quit-url", "tcp://h:1", quit + "the scheme must be http, https or unix"},
		{"quit-url", "file:///tmp/x", quit + "the scheme must be http, https or unix"},
		{"quit-url", "bad", quit + "the scheme must be http, https or unix"},
		{"quit-on", "failure", "expected always|success"},
		{"quit-timeout", "0", request}, {"quit-timeout", "5", request},
		{"on-timeout", "die", "expected start|fail"},
		{"on-timeout", "START", "expected start|fail"},
		{"log-format", "xml", "expected auto|json|text"},
		{"log-level", "trace", "expected debug|info|warn|error"},
		{"log-level", "warning", "expected debug|info|warn|error"},
	} {
		variable := "ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(test.flag, "-", "_"))
		for name, given := range map[string]struct{ args, env []string }{
			"--" + test.flag: {args: []string{"--" + test.flag, test.value}},
			variable:         {env: []string{variable + "=" + test.value}},
		} {
			_, err := parse(given.args, given.env)
			want := fmt.Sprintf("%s: %q: %s", name, test.value, test.want)
			if err == nil || err.Error() != want {
				t.Errorf("%q %q: got %v, want %s", given.args, given.env, err, want)
			}
		}
	}
}

func TestBadLines(t *testing.T) {
	const (
		timeout = "expected a duration such as 90s, at least 0s"
		url     = "expected a URL such as http://localhost:15020/healthz/ready (a comma inside is %2C); "
		noJob   = "expected a command: --quit, --quit-url and their variables quit the sidecar after it"
		oneOf   = "expected one of --once, --install and a command"
		dashes  = `expected a command after "--"; without a command leave out the "--"`
	)
	for _, test := range []struct {
		args []string
		env  string
		want string
	}{
		{[]string{"--tiemout", "5s", "--", "app"}, "", `unknown flag --tiemout, did you mean "--timeout"?; see envoy-wait --help`},
		{[]string{"--a\n\x1b[2Jb"}, "", "unknown flag --a\n\x1b[2Jb; see envoy-wait --help"},
		{[]string{"--timeout"}, "", `--timeout: "": ` + timeout},
		{[]string{"--timeout", "--", "app"}, "", `--timeout: "--": ` + timeout},
		{[]string{"--timeout="}, "", `--timeout: "": ` + timeout},
		{[]string{"--disabled", "--url"}, "", `--url: "": expected 1 to 100 URLs`},
		{[]string{"--install=", "app"}, "", `--install: "": expected PATH`},
		{[]string{"--install", "--once"}, "", `--install: "--once": expected PATH`},
		{[]string{"--on-timeout"}, "", `--on-timeout: "": expected start|fail`},
		{[]string{"--"}, "", dashes},
		{[]string{"--disabled", "--"}, "", dashes},
		{[]string{"--quit-url", "http://a"}, "", noJob},
		{nil, "ENVOY_WAIT_QUIT_URL=http://a", noJob},
		{nil, "ENVOY_WAIT_URL=http://a , http://b", `ENVOY_WAIT_URL: "http://a , http://b": ` + url + `white space in the URL; separate URLs by commas, write a space as %20`},
		{nil, "ENVOY_WAIT_DISABLED=maybe", `ENVOY_WAIT_DISABLED: bool value must be true, 1, yes, false, 0 or no but got "maybe"`},
		{[]string{"--disabled=maybe"}, "", `--disabled: bool value must be true, 1, yes, false, 0 or no but got "maybe"`},
		{[]string{"--quit=http://u:secret@h/", "app"}, "", `--quit: bool value must be true, 1, yes, false, 0 or no but got "http://xxxxx@h/"`},
		{[]string{"--once=http://u:secret@h/"}, "", `--once: bool value must be true, 1, yes, false, 0 or no but got "http://xxxxx@h/"`},
		{[]string{"--timeout=http://u:secret@h/"}, "", `--timeout: "http://xxxxx@h/": ` + timeout},
		{[]string{"--log-level=http://u:secret@h/"}, "", `--log-level: "http://xxxxx@h/": expected debug|info|warn|error`},
		{[]string{"--quit-url", "http://me:secret@h:0", "app"}, "", `--quit-url: "http://xxxxx@h:0": expected a URL such as http://localhost:15020/quitquitquit (a comma inside is %2C); the port must be from 1 to 65535`},
		{[]string{"--once", "app"}, "", oneOf},
		{[]string{"--once", "--", "app"}, "", oneOf},
		{[]string{"--install", "/x", "--once"}, "", oneOf},
		{[]string{"--install", "/x", "app"}, "", oneOf},
		{[]string{"--quit", "app"}, "ENVOY_WAIT_SIDECAR=kuma", `ENVOY_WAIT_SIDECAR: "kuma": expected a sidecar that a POST can quit, or a --quit-url, with --quit (2.14 or later, envoyAdminUnixSocket on; kuma-cp ends Jobs)`},
		{nil, "ENVOY_WAIT_URL=http://a,,http://b", `ENVOY_WAIT_URL: "http://a,,http://b": ` + url + `the scheme must be http, https, tcp, unix or file`},
		{[]string{"--url", "http://a/?x=1,2"}, "", `--url: "http://a/?x=1,2": ` + url + `the scheme must be http, https, tcp, unix or file`},
		{nil, "ENVOY_WAIT_URL=http://a,", `ENVOY_WAIT_URL: "http://a,": ` + url + `the scheme must be http, https, tcp, unix or file`},
		{[]string{"--url", "http://me:secret@h:0"}, "", `--url: "http://xxxxx@h:0": ` + url + `the port must be from 1 to 65535`},
		{slices.Repeat([]string{"--disabled"}, 501), "", `expected a command within 500 words`},
		{append(slices.Repeat([]string{"--disabled"}, 499), "--", "app"), "", `expected a command within 500 words`},
	} {
		_, err := parse(test.args, []string{test.env})
		if err == nil || err.Error() != test.want {
			t.Errorf("%q %s:\ngot  %v\nwant %s", test.args, test.env, err, test.want)
		}
	}
}

// A wrong suggestion is worse than none.
func TestUnknownFlags(t *testing.T) {
	for line, want := range map[string]string{
		"-t 5s": "unknown flag -t", "-v": "unknown flag -v", "-q app": "unknown flag -q", "-x=1": "unknown flag -x", "--w": "unknown flag --w",
		"-timeout 5s":         "unknown flag -timeout, expected two dashes",
		"-timeout=5s -- app":  "unknown flag -timeout, expected two dashes",
		"-url http://h/":      "unknown flag -url, expected two dashes",
		"--disabled -quit":    "unknown flag -quit, expected two dashes",
		"-tiemout 5s":         "unknown flag -tiemout, expected two dashes",
		"--tiemout=5s":        `unknown flag --tiemout, did you mean "--timeout"?`,
		"--time 5s":           "unknown flag --time",
		"--urls x":            "unknown flag --urls",
		"--log x":             "unknown flag --log",
		"--quit-timeot 5s":    `unknown flag --quit-timeot, did you mean "--quit-timeout"?`,
		"--side istio":        "unknown flag --side",
		"--wait app":          "unknown flag --wait",
		"--quiet":             "unknown flag --quiet",
		"--exit":              "unknown flag --exit",
		"--host h":            "unknown flag --host",
		"---":                 "unknown flag ---",
		"--=x":                "unknown flag --",
		"--no-disabled":       "unknown flag --no-disabled",
		"--ulr=http://u:p@h/": "unknown flag --ulr",
	} {
		_, err := parse(strings.Fields(line), nil)
		if want += "; see envoy-wait --help"; err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", line, err, want)
		}
	}
}

// A password is never printed, wherever it was typed.
func TestPasswords(t *testing.T) {
	const value = "http://me:secret@h:0/"
	var lines [][]string
	for _, flag := range model(t) {
		name := "--" + flag.Name
		lines = append(lines, []string{name + "=" + value}, []string{name, value}, []string{name + ":" + value}, []string{name, "-" + value},
			[]string{name + "=me:secret@h"}, []string{name, `me:"secret @h`}, []string{name + "=http://me:secret\n@h"})
	}
	lines = append(lines, []string{"--ulr=" + value}, []string{"--ulr", value}, []string{"-" + value}, []string{"--" + value}, []string{"--once", "me:secret@h"}, []string{"--install", "me:secret@h", "--once"},
		[]string{"--url", "http://me:sec,ret@h/"}, []string{"--url=http://a", "--url=me:secret@h"})
	for _, line := range lines {
		if _, err := parse(line, nil); err != nil && strings.Contains(strings.ReplaceAll(err.Error(), ",", ""), "secret") {
			t.Errorf("%q: got %v, want no password", line, err)
		}
	}
	for _, flag := range model(t) {
		for _, variable := range flag.Envs {
			if _, err := parse(nil, []string{variable + "=" + value}); err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: got %v, want an error without the password", variable, err)
			}
		}
	}
}

// The words of a long command cost little, and none is lost.
func TestLongCommand(t *testing.T) {
	command := slices.Repeat([]string{"x"}, 100_000)
	for _, flags := range [][]string{{"--disabled"}, {"--disabled", "--"}} {
		start := time.Now()
		s, err := parse(append(flags, command...), nil)
		if err != nil || !slices.Equal(s.Command, command) || time.Since(start) > time.Second {
			t.Errorf("%v: %d words after %v, %v, want %d", flags, len(s.Command), time.Since(start), err, len(command))
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
	for entry, unknown := range map[string]bool{
		"ENVOY_WAIT_TIMEOUT=5s": false, "ENVOY_WAIT_URL=http://h": false, "ENVOY_WAITING=x": false, "HOME=x": false,
		"ENVOY_WAIT_TIMOUT=x": true, "ENVOY_WAIT_URLS=x": true, "ENVOY_WAIT_HELP=x": true, "ENVOY_WAIT_ONCE=x": true, "ENVOY_WAIT_INSTALL=x": true, "ENVOY_WAIT_VERSION=x": true,
		"ENVOY_WAIT_=x": true, "ENVOY_WAIT_timeout=x": true, "ENVOY_WAIT_PORTS=tcp://10.0.0.1:80": true, "ENVOY_WAIT_EXPORT_X=80": true,
		"ENVOY_WAIT_TIMOUT=": false, // empty: unset
		// What Kubernetes injects for a Service called envoy-wait, or one whose name begins so.
		"ENVOY_WAIT_SERVICE_HOST=10.0.0.1": false, "ENVOY_WAIT_SERVICE_HOST=fd00::1": false, "ENVOY_WAIT_SERVICE_PORT=80": false, "ENVOY_WAIT_SERVICE_PORT_HTTP_WEB=80": false,
		"ENVOY_WAIT_PORT=tcp://10.0.0.1:80": false, "ENVOY_WAIT_PORT_80_TCP=tcp://10.0.0.1:80": false, "ENVOY_WAIT_PORT_80_TCP_ADDR=10.0.0.1": false,
		"ENVOY_WAIT_PORT_80_TCP=tcp://[fd00::1]:80": false, "ENVOY_WAIT_PORT_80_TCP_ADDR=fd00::1": false,
		"ENVOY_WAIT_PORT_80_TCP_PORT=80": false, "ENVOY_WAIT_PORT_53_UDP_PROTO=udp": false, "ENVOY_WAIT_PORT_9_SCTP=sctp://10.0.0.1:9": false,
		"ENVOY_WAIT_CANARY_SERVICE_HOST=10.0.0.1": false, "ENVOY_WAIT_CANARY_PORT_80_TCP_ADDR=10.0.0.1": false,
		// The same names, by hand.
		"ENVOY_WAIT_PORT=15021": true, "ENVOY_WAIT_SERVICE_HOST=localhost": true, "ENVOY_WAIT_SERVICE_PORT=http": true, "ENVOY_WAIT_PORT_80_TCP=80": true,
		"ENVOY_WAIT_PORT_80_TCP_PROTO=http": true, "ENVOY_WAIT_PORT=http://localhost:80": true,
	} {
		if s, _ := parse(nil, []string{entry}); (len(s.Warnings) == 1) != unknown {
			t.Errorf("%s: got %q, want a warning: %v", entry, s.Warnings, unknown)
		}
	}
}

// A namespace with many such Services costs little: the pattern is compiled once, not for each, which takes hundreds of
// allocations.
func TestManyVariables(t *testing.T) {
	const variables = 2000
	var env []string
	for i := range variables {
		env = append(env, fmt.Sprintf("ENVOY_WAIT_%d_SERVICE_HOST=10.0.0.1", i))
	}
	allocations := testing.AllocsPerRun(1, func() {
		if s, err := parse([]string{"app"}, env); err != nil || len(s.Warnings) > 0 {
			t.Errorf("got %v, %d warnings, want none", err, len(s.Warnings))
		}
	})
	if allocations > 10*variables {
		t.Errorf("got %v allocations for %d variables, want at most 10 for each", allocations, variables)
	}
}

func TestAbsentAfterTheTimeout(t *testing.T) {
	const what = ": 5s: expected less than --timeout, which is "
	for _, test := range []struct{ args, env, want string }{
		{"--absent-after 5s", "", ""},
		{"--absent-after 5s --timeout 6s", "", ""},
		{"--absent-after 5s --timeout 0", "", ""},
		{"--timeout 1s", "", ""},
		{"--absent-after 5s --timeout 5s", "", "--absent-after" + what + "5s: it does not end a wait"},
		{"--absent-after 5s", "ENVOY_WAIT_TIMEOUT=2s", "--absent-after" + what + "2s: it does not end a wait"},
		{"--timeout 2s", "ENVOY_WAIT_ABSENT_AFTER=5s", "ENVOY_WAIT_ABSENT_AFTER" + what + "2s: it does not end a wait"},
		{"--timeout 2s --once", "ENVOY_WAIT_ABSENT_AFTER=5s", ""},
		{"--timeout 2s --disabled", "ENVOY_WAIT_ABSENT_AFTER=5s", ""},
	} {
		s, err := parse(strings.Fields(test.args), []string{test.env})
		if got := strings.Join(s.Warnings, " "); err != nil || got != test.want {
			t.Errorf("%s %s: got %s, %v, want %s", test.args, test.env, got, err, test.want)
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

// Whoever asks for help gets it, whatever else is wrong. Each line fits, however wide the terminal is.
func TestHelp(t *testing.T) {
	for columns, env := range map[string]string{"": "", "200": "ENVOY_WAIT_INTERVAL=bad", "40": ""} {
		t.Setenv("COLUMNS", columns)
		s, err := Parse([]string{"envoy-wait", "--help", "--timeout", "x", "--tiemout", "--", "app"}, []string{env})
		if err != nil || s.Answer == "" || strings.Contains(s.Answer, "%!") {
			t.Fatalf("%+v, %v, want help, and no bad verb of a format in it", s, err)
		}
		help := s.Answer
		for line := range strings.Lines(help) {
			if len(line) > 80+1 || strings.TrimRight(line, " \n")+"\n" != line {
				t.Errorf("more than 80 columns, or a space at the end: %q", line)
			}
		}
		words := strings.Join(strings.Fields(help), " ")
		for _, flag := range model(t) {
			want := strings.ReplaceAll(flag.Summary()+" "+flag.Help+" ("+flag.Default+")", " ()", "")
			if !strings.Contains(words, want) || flag.Help == "" || flag.Group == nil {
				t.Errorf("got %s\nwant %s", help, want)
			}
		}
		for _, p := range Presets {
			if !strings.Contains(help, "\n  "+p.Name+" ") || !strings.Contains(help, p.Note) {
				t.Errorf("got %s\nwant %s, %s", help, p.Name, p.Note)
			}
		}
	}
}

// Every flag has the variable of its name, but those of the last group.
func TestVariables(t *testing.T) {
	for _, flag := range model(t) {
		var want []string
		if !strings.HasPrefix(flag.Group.Title, "Instead") {
			want = []string{"ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))}
		}
		if !slices.Equal(flag.Envs, want) {
			t.Errorf("--%s has %v, want %v", flag.Name, flag.Envs, want)
		}
	}
}

func TestLiveLine(t *testing.T) {
	for env, want := range map[string]bool{
		"TERM=xterm": true, "TERM=linux NO_COLOR=": true, "": false, "TERM=": false, "TERM=dumb": false, "TERM=xterm NO_COLOR=1": false,
	} {
		if s, err := parse(nil, strings.Fields(env)); err != nil || s.LiveLine != want {
			t.Errorf("%s: %v, %v", env, s.LiveLine, err)
		}
	}
}

// A switch takes its value in the same word. A word such as true behind it would be the command: /bin/true, and the
// Job is done. "--quit true" with nothing behind is refused, too: whoever means the command says so by "--".
func TestValueOfASwitch(t *testing.T) {
	for _, name := range []string{"--quit", "--disabled", "--once"} {
		for _, value := range []string{"true", "false", "yes", "no", "1", "0", "TRUE"} {
			for _, behind := range [][]string{{"--", "report"}, {"report"}, {"--timeout", "5s", "--", "report"}, nil} {
				s, err := parse(append([]string{"--timeout=5s", name, value}, behind...), nil)
				want := fmt.Sprintf(`%s %s: expected %s=%s, or "--" before a command of that name`, name, value, name, value)
				if err == nil || err.Error() != want {
					t.Errorf("%s %s %q: got %v, want %s", name, value, behind, err, want)
				}
				isOn := slices.Contains([]string{"true", "yes", "1", "TRUE"}, value)
				if want := name == "--quit" && isOn; s.IsJob() != want {
					t.Errorf("%s %s %q: a Job is %v, want %v", name, value, behind, s.IsJob(), want)
				}
			}
		}
	}
	if s, _ := parse([]string{"--url", "bad", "--quit", "false", "--", "report"}, nil); s.IsJob() { // whatever else is wrong
		t.Error("got a Job, want none")
	}
	for _, test := range []struct{ args, command string }{
		{"-- true -- x", "true -- x"}, {"--quit -- true", "true"}, {"--quit -- true -- x", "true -- x"},
		{"--quit=true true", "true"}, {"--quit --timeout 5s true", "true"}, {"--quit --timeout=5s true x", "true x"},
		{"true", "true"}, {"yes --disabled", "yes --disabled"}, {"--quit truth", "truth"}, {"--quit app true", "app true"},
	} {
		if s, err := parse(strings.Fields(test.args), nil); err != nil || strings.Join(s.Command, " ") != test.command {
			t.Errorf("%s: got %q, %v, want %s", test.args, s.Command, err, test.command)
		}
	}
	if s, err := parse([]string{"--disabled=false", "--quit=1", "app"}, nil); err != nil || s.Disabled || !s.IsJob() {
		t.Errorf("got disabled %v, a Job %v, %v, want neither disabled nor an error", s.Disabled, s.IsJob(), err)
	}
}

// White space of any kind in a URL is a URL that will never be ready: a list separated by spaces, or what a wiki has put
// behind it.
func TestWhiteSpaceInURLs(t *testing.T) {
	for _, space := range []string{
		" ", "\t", "\n", "\v", "\f", "\r", "\u0085", "\u00a0", "\u1680", "\u2003", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
		"\u00ad", "\u180e", "\u200b", "\u200d", "\u2060", "\ufeff",
	} {
		for _, url := range []string{"http://a/r" + space + "http://b/r", "http://a/r" + space, space + "http://a/r", "http://a/r" + space + "x", "http://b/," + space + "http://a/"} {
			for _, flag := range []string{"--url", "--quit-url"} {
				variable := "ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(flag[2:], "-", "_"))
				for name, given := range map[string]struct{ args, env []string }{
					flag: {args: []string{flag, url, "app"}}, variable: {args: []string{"app"}, env: []string{variable + "=" + url}},
				} {
					_, err := parse(given.args, given.env)
					if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("%s: %q: ", name, url)) || !strings.Contains(err.Error(), "separate URLs by commas") {
						t.Errorf("%s=%q: got %v, want an error", name, url, err)
					}
				}
			}
		}
	}
}

func TestTooManyURLs(t *testing.T) {
	for n, ok := range map[int]bool{100: true, 101: false} {
		var urls []string
		for i := range n {
			urls = append(urls, fmt.Sprintf("http://h:%d/", i+1))
		}
		all := strings.Join(urls, ",")
		for name, given := range map[string]struct{ args, env []string }{
			"ENVOY_WAIT_URL": {env: []string{"ENVOY_WAIT_URL=" + all}}, "--url": {args: []string{"--url", all}}, "--quit-url": {args: []string{"--quit-url", all, "app"}},
		} {
			s, err := parse(given.args, given.env)
			if got := max(len(s.Probe.URLs), len(s.Quit.URLs)); ok && (err != nil || got != n) {
				t.Errorf("%s, %d URLs: got %d, %v", name, n, got, err)
			}
			if want := fmt.Sprintf("%s: %q: expected 1 to 100 URLs", name, all); !ok && (err == nil || err.Error() != want) {
				t.Errorf("%s, %d URLs: got %v, want %s", name, n, err, want)
			}
		}
	}
}
