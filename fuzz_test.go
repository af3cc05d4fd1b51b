package main

import (
	"io"
	"slices"
	"strings"
	"testing"
	"time"

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
		s, err := parse(args, nil, io.Discard)
		if !slices.Equal(args, given) {
			t.Errorf("%q became %q", given, args)
		}
		if err != nil {
			checkUsageError(t, err)
			return
		}
		if s.answered {
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
	s, err := parse(nil, nil, io.Discard)
	if err != nil {
		f.Fatal(err)
	}
	for i := range s.variables {
		for _, value := range []string{"", "0", "1s", "-1s", "1e9h", "true", "fail", "json", "debug", "http://h:1/,http://h:2/", "http://a,,b", "\n", "\xff", "--help", "--"} {
			f.Add(uint8(i), value)
		}
	}
	f.Fuzz(func(t *testing.T, i uint8, value string) {
		name := s.variables[int(i)%len(s.variables)]
		got, err := parse([]string{"--", "app", "--x"}, []string{name + "=" + value, "OTHER=1"}, io.Discard)
		if err != nil {
			checkUsageError(t, err)
			if value == "" || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%q: %v", name, value, err)
			}
			return
		}
		checkSettings(t, got)
		if !slices.Equal(got.Command, []string{"app", "--x"}) || got.answered {
			t.Errorf("%s=%q: the command is %q", name, value, got.Command)
		}
	})
}

// checkUsageError wants one line, and 125.
func checkUsageError(t *testing.T, err error) {
	t.Helper()
	if code := exitCode(err); code != exitFailure {
		t.Errorf("%v: exit status %d", err, code)
	}
	if err.Error() == "" || strings.ContainsAny(err.Error(), "\n\r\x00\x1b") {
		t.Errorf("not one line of text: %q", err)
	}
}

// checkSettings wants only what the documentation allows.
func checkSettings(t *testing.T, s *settings) {
	t.Helper()
	for _, url := range s.URLs {
		if err := probe.ValidateURL(url); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	if len(s.URLs) == 0 || s.Timeout < 0 || s.RequestTimeout <= 0 || time.Duration(s.Interval) < probe.MinInterval ||
		!slices.Contains([]word{"start", "fail"}, s.OnTimeout) || !slices.Contains([]word{"auto", "json", "text"}, s.LogFormat) ||
		!slices.Contains([]word{"debug", "info", "warn", "error"}, s.LogLevel) {
		t.Errorf("%+v", s)
	}
}
