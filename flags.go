package main

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// version is set by the linker in a release; see buildVersion.
var version string

// settings is what flags, variables and defaults come to. Tags: help, default
// and enum are kong's; min and expected are for the types below.
type settings struct {
	URLs           urls     `name:"url" placeholder:"URL" default:"http://localhost:15020/healthz/ready" help:"readiness endpoint; may be repeated, all must be ready"`
	Timeout        duration `placeholder:"D" default:"60s" min:"0s" expected:"a duration such as 90s or 2m, or 0 to wait for ever" help:"end of the whole wait; 0 waits for ever"`
	OnTimeout      word     `default:"start" enum:"start,fail" help:"start the command with a warning, or exit 124"`
	RequestTimeout duration `placeholder:"D" default:"5s" min:"1ns" expected:"a duration above 0, such as 5s" help:"one attempt, from connecting to the end of headers"`
	Interval       duration `placeholder:"D" default:"500ms" min:"10ms" expected:"a duration of at least 10ms, such as 500ms" help:"the longest pause between two attempts"`
	Disabled       boolean  `default:"false" help:"no wait: become the command at once"`
	LogFormat      word     `default:"auto" enum:"auto,json,text" help:"auto is text where stderr is a terminal, else json"`
	LogLevel       word     `default:"info" enum:"debug,info,warn,error" help:"the lowest level that is logged"`

	// No variable: in an envFrom that is shared it would break every app.
	Install *string          `placeholder:"PATH" help:"copy this binary to PATH, or into it, and exit"`
	Version kong.VersionFlag `help:"print the version and exit"`

	Command []string `arg:"" optional:"" passthrough:"partial"`

	answered  bool     // --help or --version was given, and is done
	dashes    bool     // there was a "--", so a command was meant
	variables []string // the names of all variables that have a meaning
}

const (
	onTimeoutStart = "start"
	formatAuto     = "auto"
	formatJSON     = "json"
	formatText     = "text"
)

// parse returns the settings, of which those for the log hold even with an
// error. It writes to stdout only what --help and --version ask for.
func parse(args, env []string, stdout io.Writer) (*settings, error) {
	s := &settings{LogFormat: formatAuto, LogLevel: "info"}
	var output strings.Builder
	parser, err := kong.New(s,
		kong.Name("envoy-wait"),
		kong.Vars{"version": "envoy-wait " + buildVersion()},
		kong.Writers(&output, &output),
		kong.Help(printHelp),
		// kong goes on parsing after --help, so what it returns then is moot.
		kong.Exit(func(int) { s.answered = true }),
		kong.Resolvers(resolver(env)),
	)
	if err != nil {
		return s, err
	}
	parser.Model.HelpFlag.Help = "print this help and exit"
	for _, flag := range parser.Model.Flags {
		if isSetting(flag) {
			s.variables = append(s.variables, variableName(flag.Name))
		}
	}

	// Cut at the first "--" before kong sees it, which would keep it.
	head, tail := args, []string(nil)
	if i := slices.Index(args, "--"); i >= 0 {
		head, tail, s.dashes = args[:i], args[i+1:], true
	}
	_, err = parser.Parse(head)
	if s.answered {
		_, err = io.WriteString(stdout, output.String())
		return s, err
	}
	if err != nil {
		s.LogFormat = formatBeforeError(err, env)
		return s, usageError(err)
	}
	switch {
	case !s.dashes:
	case len(s.Command) > 0: // app -- x: this "--" is the app's
		s.Command = slices.Concat(s.Command, []string{"--"}, tail)
	case len(tail) == 0:
		return s, errors.New(`expected a command after "--"; without a command leave out the "--"`)
	default:
		s.Command = tail
	}
	if s.Install != nil && (*s.Install == "" || s.hasCommand()) {
		return s, &badValue{"--install", *s.Install, "a path, and no command"}
	}
	return s, nil
}

func (s *settings) hasCommand() bool { return len(s.Command) > 0 }

func (s *settings) probeConfig(onAttempt func(probe.Attempt)) probe.Config {
	timeout := time.Duration(s.Timeout)
	if timeout == 0 {
		timeout = probe.NoTimeout
	}
	return probe.Config{
		URLs:           s.URLs,
		Timeout:        timeout,
		RequestTimeout: time.Duration(s.RequestTimeout),
		Interval:       time.Duration(s.Interval),
		UserAgent:      "envoy-wait/" + buildVersion(),
		OnAttempt:      onAttempt,
	}
}

// usageError is our own message where one is inside kong's, which does not know
// of variables, else kong's.
func usageError(err error) error {
	var bad *badValue
	if errors.As(err, &bad) {
		return bad
	}
	return fmt.Errorf("%w; see envoy-wait --help", err)
}

// formatBeforeError finds the format of the line for a usage error: what the
// flags before the error say, else the variable.
func formatBeforeError(err error, env []string) word {
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		for _, path := range parse.Context.Path {
			if path.Flag != nil && path.Flag.Name == "log-format" {
				return parse.Context.FlagValue(path.Flag).(word)
			}
		}
	}
	return word(lookup(env, variableName("log-format")))
}

// buildVersion is the version of a release, or that of the module for a binary
// made by go install.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// printHelp is kong's HelpPrinter. kong's own fits its lines to the terminal and
// its summary knows nothing of a wrapped command; this text is the same
// everywhere, so that the README can show it.
func printHelp(_ kong.HelpOptions, ctx *kong.Context) error {
	w := ctx.Stdout
	_, _ = fmt.Fprint(w, `Usage: envoy-wait [flags] [--] [command [args...]]

Waits until the sidecar is ready, then becomes the command. Without a command
it waits only.

`)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, flag := range ctx.Model.Flags {
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace("--"+flag.Name+" "+placeholder(flag)), flag.Help)
		if flag.Default != "" && !flag.IsBool() {
			_, _ = fmt.Fprintf(table, "  \t(default %s)\n", flag.Default)
		}
	}
	_ = table.Flush()
	_, err := fmt.Fprint(w, `
A flag goes before its variable: --on-timeout is ENVOY_WAIT_ON_TIMEOUT, and so
on. ENVOY_WAIT_URL takes several URLs separated by commas.
`)
	return err
}

func placeholder(flag *kong.Flag) string {
	switch {
	case flag.IsBool():
		return ""
	case flag.Enum != "":
		return strings.ReplaceAll(flag.Enum, ",", "|")
	default:
		return flag.PlaceHolder
	}
}
