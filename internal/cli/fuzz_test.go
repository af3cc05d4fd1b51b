package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/probe"
)

// FuzzArguments splits its input at NUL, which no argument can hold.
func FuzzArguments(f *testing.F) {
	for _, line := range []string{
		"", "--", "--\x00app", "app", "--timeout\x001s\x00app\x00--help\x00--\x00x", "--timeout=1s\x00--\x00--", "--tiemout\x005s\x00--\x00app",
		"--url\x00http://h:1/\x00--url=https://[::1]/\x00app", "--disabled=maybe", "--help\x00--\x00app", "--version", "-h", "-", "---", "--=",
		"--no-disabled\x00app", "--install\x00/x\x00app", "--\x00\xff\x00\x00$HOME", "--\x00app\x00--help\x00--version", "app\x00--\x00--timeout\x001s", "--log-format=text\x00--timeout\x00\n",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Split(line, "\x00")
		given := slices.Clone(args)
		s, err := parse(args, nil)
		if !slices.Equal(args, given) {
			t.Errorf("%q became %q", given, args)
		}
		if err != nil {
			checkUsageError(t, err)
			return
		}
		if s.Answer != "" {
			return // nothing is started
		}
		checkSettings(t, s)
		// Whatever is the command's is the end of the line, untouched.
		cut := len(args) - len(s.Command)
		if cut < 0 || !slices.Equal(s.Command, args[cut:]) {
			t.Fatalf("%q: the command is %q", args, s.Command)
		}
		dashes := slices.Index(args, "--")
		switch {
		case dashes >= 0 && cut > dashes+1:
			t.Errorf("%q: the command %q lacks what follows the dashes", args, s.Command)
		case dashes >= 0 && cut == len(args):
			t.Errorf("%q: dashes without a command", args)
		case cut < len(args) && (dashes < 0 || cut <= dashes) && strings.HasPrefix(args[cut], "-") && args[cut] != "-":
			t.Errorf("%q: a flag became the command %q", args, s.Command)
		}
	})
}

// FuzzEnvironment gives one of our variables any value.
func FuzzEnvironment(f *testing.F) {
	var all []string
	for _, flag := range model(f) {
		all = append(all, flag.Envs...)
	}
	for i := range all {
		for _, value := range []string{"", "0", "1s", "-1s", "1e9h", "true", "fail", "json", "debug", "http://h:1/,http://h:2/", "http://a,,b", "\n", "\xff", "--help", "--"} {
			f.Add(uint8(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, value string) {
		name := all[int(i)%len(all)]
		got, err := parse([]string{"--", "app", "--x"}, []string{name + "=" + value, "OTHER=1"})
		if err != nil {
			checkUsageError(t, err)
			if value == "" || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
			return
		}
		checkSettings(t, got)
		if !slices.Equal(got.Command, []string{"app", "--x"}) || got.Answer != "" {
			t.Errorf("%s=%q: the command is %q", name, value, got.Command)
		}
	})
}

// checkUsageError wants something to say. That it is one line is report's.
func checkUsageError(t *testing.T, err error) {
	t.Helper()
	if err.Error() == "" {
		t.Errorf("no text: %q", err)
	}
}

// checkSettings wants only what the documentation allows.
func checkSettings(t *testing.T, s *Settings) {
	t.Helper()
	for _, url := range s.Probe.URLs {
		if err := probe.ValidateURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range s.Quit.URLs {
		if err := probe.ValidateQuitURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	if len(s.Probe.URLs) == 0 || s.Probe.Timeout == 0 || s.Probe.RequestTimeout <= 0 || s.Probe.Interval < probe.MinInterval || s.Quit.Timeout <= 0 ||
		!slices.Contains([]string{"auto", "json", "text"}, s.LogFormat) || !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		t.Errorf("%+v", s)
	}
}
