// Package cli turns command line and environment into [Settings], plain data. It alone knows kong and the environment.
// A flag goes before its variable, and a variable before the default. An empty variable counts as unset.
package cli

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// Settings are what flags, variables and defaults come to.
type Settings struct {
	Answer       string   // what --help or --version asks for, or ""
	Install      string   // the path of --install, or ""
	Command      []string // with its arguments; empty to wait only
	WantsCommand bool     // a command was given, or a "--" without one
	Warnings     []string // what was ignored

	Probe       probe.Config // its hooks, and those of Quit, are the caller's
	Disabled    bool         // do not wait
	StartAnyway bool         // after a timeout start the command
	Supervise   bool         // stay as the command's parent

	// Quit has URLs for a Job alone. What is valid of it holds even where Parse returns an error: a Job that fails
	// before the wait has to tell the sidecar, too.
	Quit             probe.QuitConfig
	QuitTimeoutGiven bool // by flag or variable
	QuitOnSuccess    bool // only after exit status 0

	LogFormat string // auto, json or text
	LogLevel  string // debug, info, warn or error
	LiveLine  bool   // TERM and NO_COLOR allow a line that is drawn anew
}

// HasCommand reports whether there is a command to become.
func (s *Settings) HasCommand() bool { return len(s.Command) > 0 }

// Name is the name of the command, or "".
func (s *Settings) Name() string { return strings.Join(s.Command[:min(1, len(s.Command))], "") }

// IsJob reports whether there is a sidecar to quit after the command.
func (s *Settings) IsJob() bool { return len(s.Quit.URLs) > 0 }

// maxWords is how many words kong sees, since it copies the rest of a line for each word of a command.
const maxWords = 500

// Parse returns the settings for args, of which the first is the name that the program was called by. With an error
// the settings for the log and for Quit hold all the same.
func Parse(args, env []string) (*Settings, error) {
	if filepath.Base(args[0]) == compatScuttle { // behind a variable that is set
		env = append(slices.Clip(env), "ENVOY_WAIT_COMPAT="+compatScuttle)
	}
	f := &flags{env: env}
	words := args[1:min(len(args), maxWords+1)]
	ctx, err := parseWords(newParser(f), words)
	f.Command = append(f.Command, args[len(words)+1:]...)
	if f.Help || f.Version {
		return &Settings{Answer: f.answer(ctx)}, nil
	}
	if err != nil { // it may have a password in a value, which is quoted, or in a flag that kong does not know
		password := regexp.MustCompile(`(?s)("([a-z]+://)?|unknown flag -).*@`)
		err = errors.New(password.ReplaceAllString(err.Error(), "${1}xxxxx@"))
	}
	return f.settings(ctx), err
}

// settings returns what the values of the flags come to.
func (f *flags) settings(ctx *kong.Context) *Settings {
	f.warnOfUnknown(ctx)
	if port := lookup(f.env, f.Sidecar.Port); f.Sidecar.Port != "" && port != "" && !strings.Contains(f.Sidecar.Ready, ":"+port+"/") {
		f.warn("%s: %q: --sidecar %s asks %s: use --url with that port, and --ready-status %d", f.Sidecar.Port, port, f.Sidecar.Name, f.Sidecar.Ready, f.Sidecar.Status)
	}
	if f.Timeout > 0 && f.AbsentAfter >= f.Timeout && !f.Once && !f.Disabled {
		f.warn("%s: %v: expected less than --timeout, which is %v: it does not end a wait", given(ctx, &f.AbsentAfter), f.AbsentAfter, f.Timeout)
	}
	command, wanted := f.command()
	term := lookup(f.env, "TERM")
	s := &Settings{
		Install: f.Install, Command: command, WantsCommand: wanted, Warnings: f.warnings,
		Probe: probe.Config{
			Accepts: f.accepts, Timeout: cmp.Or(f.Timeout, probe.NoTimeout), RequestTimeout: f.RequestTimeout,
			Interval: f.Interval, AbsentAfter: f.AbsentAfter, Once: f.Once, UserAgent: "envoy-wait/" + Version(),
		},
		Disabled: f.Disabled, StartAnyway: f.OnTimeout == "start",
		Quit:             probe.QuitConfig{Timeout: f.QuitTimeout, UserAgent: "envoy-wait/" + Version()},
		QuitTimeoutGiven: given(ctx, &f.QuitTimeout) != "", QuitOnSuccess: f.QuitOn == "success",
		LogFormat: f.LogFormat, LogLevel: f.LogLevel,
		LiveLine: term != "" && term != "dumb" && lookup(f.env, "NO_COLOR") == "", // see no-color.org
	}
	urls, quitURLs := f.URL, f.QuitURL
	if len(f.URL) == 0 { // who has moved the ports of Istio's sidecar gives a URL
		s.Probe.Gate = f.Sidecar.Gate
	}
	if len(f.URL) == 0 || given(ctx, &f.Sidecar) != "" {
		urls = append(list{f.Sidecar.Ready}, urls...)
	}
	if name, off := switchBefore(ctx.Args, f.Command); f.Quit && f.Sidecar.Quit != "" && (name != "--quit" || !off) {
		quitURLs = append(list{f.Sidecar.Quit}, quitURLs...)
	}
	s.Probe.URLs, _ = urls.valid(probe.ValidateURL, "")
	if f.Once && given(ctx, &f.RequestTimeout) == "" {
		s.Probe.RequestTimeout = 900 * time.Millisecond // the kubelet gives an exec probe 1 s by default
	}
	if wanted && !f.Once && f.Install == "" { // a probe, or an init container, has the variables of its Pod, and is no Job
		s.Quit.URLs, _ = quitURLs.valid(probe.ValidateQuitURL, "")
	}
	s.Supervise = s.IsJob() || f.Compat == compatScuttle && s.HasCommand()
	return s
}

func (f *flags) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}

// accepts is for probe.Config.
func (f *flags) accepts(url string, status int) bool {
	if len(f.ReadyStatus) > 0 {
		return slices.Contains(f.ReadyStatus, strconv.Itoa(status)) || slices.Contains(f.ReadyStatus, fmt.Sprintf("%dxx", status/100))
	}
	if url == f.Sidecar.Ready {
		return status == f.Sidecar.Status
	}
	return status == 200
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
