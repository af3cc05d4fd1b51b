// Package cli turns command line and environment into [Settings], plain data. It alone knows kong and the
// environment.
//
// A flag goes before its variable, and a variable before the default. A variable that is empty counts as unset. A
// value that cannot work is an error that names flag or variable, the value, and what was expected. Passwords in
// values are replaced.
package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/envoy-wait/envoy-wait/probe"
)

// Settings are what flags, variables and defaults come to.
type Settings struct {
	Answered bool     // --help or --version was given, and is done
	Install  string   // the path of --install, or ""
	Command  []string // with its arguments; nil to wait only
	Meant    bool     // a command was meant, there may be none
	Warnings []string // what was ignored

	Probe       probe.Config // its hooks, and those of Quit, are the caller's
	Disabled    bool         // do not wait
	StartAnyway bool         // after a timeout start the command

	// Quit has URLs for a Job alone. What is valid of it holds even where Parse returns an error: a Job that fails
	// before the wait has to tell the sidecar, too.
	Quit          probe.QuitConfig
	QuitOnSuccess bool // only after exit status 0

	Sidecars  map[string]string // by URL: the preset whose parts a hint may name
	LogFormat string            // auto, json or text
	LogLevel  string            // debug, info, warn or error
	LiveLine  bool              // TERM and NO_COLOR allow a line that is drawn anew
}

// HasCommand reports whether there is a command to become.
func (s *Settings) HasCommand() bool { return len(s.Command) > 0 }

// Name is the name of the command, or "".
func (s *Settings) Name() string { return strings.Join(s.Command[:min(1, len(s.Command))], "") }

// IsJob reports whether there is a sidecar to quit after the command.
func (s *Settings) IsJob() bool { return len(s.Quit.URLs) > 0 }

// Parse returns the settings for args, of which the first is the name that the program was called by. With an error
// the settings for the log and for Quit hold all the same. Parse writes to stdout what --help and --version ask for,
// and nothing else.
func Parse(args, env []string, stdout io.Writer) (*Settings, error) {
	r, command, meant, err := parseWords(args[1:], env)
	s := &Settings{Command: command, Meant: meant}
	if err == nil && (r.isSet("help") || r.isSet("version")) {
		s.Answered = true
		answer := "envoy-wait " + Version() + "\n"
		if r.isSet("help") {
			answer = helpText
		}
		_, err = io.WriteString(stdout, answer)
		return s, err
	}
	r.err = err
	if r.oneOf("compat") == compatScuttle || filepath.Base(args[0]) == compatScuttle {
		translated, warnings := fromScuttle(env, r.isSet("url") || r.isSet("once"))
		r.env = append(slices.Clip(env), translated...)
		s.Warnings = warnings
	}
	s.read(r)
	known := variables(r.model)
	if unknown := unknownVariables(env, known); len(unknown) > 0 {
		s.Warnings = append(s.Warnings, fmt.Sprintf("%s: unknown variable, ignored; known are %s", strings.Join(unknown, ", "), strings.Join(known, ", ")))
	}
	return s, r.err
}

// read fills in the settings. The first error stays in r, and the others are read on: those for the log and for Quit
// hold with an error, too.
func (s *Settings) read(r *reader) {
	s.LogFormat, s.LogLevel = r.oneOf("log-format"), r.oneOf("log-level")
	term := lookup(r.env, "TERM")
	s.LiveLine = term != "" && term != "dumb" && lookup(r.env, "NO_COLOR") == "" // see no-color.org

	sidecar := presetCalled(r.oneOf("sidecar"))
	urls := r.urls("url", probe.ValidateURL, probe.DefaultURL)
	s.Sidecars = sidecars(sidecar, urls)
	gate := uint16(0) // whoever has moved the ports names the URL
	if len(urls) == 0 {
		urls, gate = []string{sidecar.ready}, sidecar.gate
	}
	once := r.boolean("once")
	s.Probe = probe.Config{
		URLs:           urls,
		Gate:           gate,
		Accepts:        r.statuses("ready-status", sidecar.status),
		Timeout:        r.duration("timeout", 0, "a duration such as 90s or 2m, or 0 to never give up"),
		RequestTimeout: r.duration("request-timeout", 1, durationAboveZero),
		Interval:       r.duration("interval", probe.MinInterval, "a duration of at least 10ms, such as 500ms"),
		AbsentAfter:    r.duration("absent-after", 1, durationAboveZero),
		Once:           once,
		UserAgent:      "envoy-wait/" + Version(),
	}
	if s.Probe.Timeout == 0 {
		s.Probe.Timeout = probe.NoTimeout
	}
	if once && !r.isSet("request-timeout") {
		s.Probe.RequestTimeout = 900 * time.Millisecond // the kubelet gives an exec probe 1 s by default
	}
	s.Disabled = r.boolean("disabled")
	s.StartAnyway = r.oneOf("on-timeout") == "start"
	s.readJob(r, sidecar)
	s.readInstall(r, once)
	if s.Meant && !s.HasCommand() {
		r.fail(errors.New(`expected a command after "--"; without a command leave out the "--"`))
	}
}

// readJob reads the settings for Quit. A probe, or an init container, has the variables of its Pod, and is no Job.
func (s *Settings) readJob(r *reader, sidecar preset) {
	quit := r.boolean("quit")
	s.Quit = probe.QuitConfig{
		URLs:      r.urls("quit-url", probe.ValidateQuitURL, presets[0].quit),
		Timeout:   r.duration("quit-timeout", 1, durationAboveZero),
		UserAgent: s.Probe.UserAgent,
	}
	s.QuitOnSuccess = r.oneOf("quit-on") == "success"
	switch {
	case r.isSet("once"), r.isSet("install"):
		s.Quit.URLs = nil
		return
	case runtime.GOOS != "linux" && (quit || s.IsJob()):
		r.fail(fmt.Errorf("--quit, --quit-url and their variables: expected Linux, this is %s", runtime.GOOS))
	case quit && len(s.Quit.URLs) == 0 && sidecar.quit == "":
		r.fail(&badValue{"--sidecar or ENVOY_WAIT_SIDECAR", sidecar.name, "a sidecar that a POST can quit, or a --quit-url, with --quit"})
	case quit && len(s.Quit.URLs) == 0:
		s.Quit.URLs = []string{sidecar.quit}
	}
	if s.IsJob() && !s.Meant {
		// A script that waits only would lose its sidecar before it has used it.
		s.Quit.URLs = nil
		r.fail(errors.New("expected a command: --quit and --quit-url, their variables and scuttle's quit the sidecar after it"))
	}
}

func (s *Settings) readInstall(r *reader, once bool) {
	name, path := r.last("install")
	if s.Install = path; name != "" && (path == "" || s.Meant || once) {
		r.fail(&badValue{name, path, "a path, and neither a command nor --once"})
	}
	if once && s.HasCommand() {
		r.fail(&badValue{"--once", s.Name(), "no command"})
	}
}

// badValue says which flag or variable has which value, and what it should be.
type badValue struct{ name, value, expected string }

func (e *badValue) Error() string {
	if e.value == "" {
		return fmt.Sprintf("%s: the value is missing; expected %s", e.name, e.expected)
	}
	return fmt.Sprintf("%s: %q: expected %s", e.name, probe.Redact(e.value), e.expected)
}

// version is set by the linker in a release.
var version string

// Version is that of a release, or that of the module for a binary made by go install.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		return strings.TrimPrefix(cmp.Or(info.Main.Version, "(devel)"), "v")
	}
	return version
}
