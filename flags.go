package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// version is set by the linker in a release; see buildVersion.
var version string

// settings is what flags, variables and defaults come to. Tags: help, default
// and enum are kong's; min and expected are for the types in values.go; shown is
// a default that depends on something else.
type settings struct {
	Proxy          word     `placeholder:"NAME" default:"istio" enum:"${proxies}" help:"which sidecar, of those below"`
	URLs           urls     `name:"url" placeholder:"URL" shown:"the proxy's" help:"what must be ready; may be repeated, then all must be"`
	Status         statuses `placeholder:"LIST" shown:"the proxy's" help:"what counts as ready, such as 200,204 or 2xx"`
	Timeout        duration `placeholder:"D" default:"60s" min:"0s" expected:"a duration such as 90s or 2m, or 0 to wait for ever" help:"end of the whole wait; 0 waits for ever"`
	OnTimeout      word     `default:"start" enum:"start,fail" help:"start the command with a warning, or exit 124"`
	AbsentAfter    duration `placeholder:"D" shown:"off" min:"1ns" expected:"a duration above 0, such as 5s" help:"take it as timed out when nothing but refused for so long"`
	RequestTimeout duration `placeholder:"D" shown:"5s, with --once 900ms" min:"1ns" expected:"a duration above 0, such as 5s" help:"one attempt, from connecting to the end of headers"`
	Interval       duration `placeholder:"D" default:"500ms" min:"10ms" expected:"a duration of at least 10ms, such as 500ms" help:"the longest pause between two attempts"`
	Disabled       boolean  `default:"false" help:"no wait: become the command at once"`
	QuitURLs       quitURLs `name:"quit-url" placeholder:"URL" help:"for a Job: when the command has ended, POST to URL; may be repeated"`
	Quit           boolean  `default:"false" help:"the same with the proxy's own URL"`
	QuitOn         word     `default:"exit" enum:"exit,success" help:"success: only if the exit status is 0"`
	QuitTimeout    duration `placeholder:"D" default:"5s" min:"1ns" expected:"a duration above 0, such as 5s" help:"end of all the quit requests"`
	Compat         word     `default:"none" enum:"none,scuttle" help:"take scuttle's variables as well, see docs/migrating.md"`
	LogFormat      word     `default:"auto" enum:"auto,json,text" help:"auto is text where stderr is a terminal, else json"`
	LogLevel       word     `default:"info" enum:"debug,info,warn,error" help:"the lowest level that is logged"`

	// No variables: in an envFrom that is shared they would break every app.
	Once    bool             `help:"one attempt, no wait: exit 0 if ready, else 1"`
	Install *string          `placeholder:"PATH" help:"copy this binary to PATH, or into it, and exit"`
	Version kong.VersionFlag `help:"print the version and exit"`

	Command []string `arg:"" optional:"" passthrough:"partial"`

	answered  bool     // --help or --version was given, and is done
	urlGiven  bool     // not the proxy's own
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
	s, err := parseOnce(args, env, stdout)
	if err != nil || s.answered || s.Compat != compatScuttle && !calledAsScuttle() {
		return s, err
	}
	translated, err := fromScuttle(env, s.urlGiven || s.Once)
	if err != nil {
		return s, err
	}
	return parseOnce(args, append(slices.Clip(env), translated...), stdout)
}

func parseOnce(args, env []string, stdout io.Writer) (*settings, error) {
	s := &settings{LogFormat: formatAuto, LogLevel: "info"}
	var output strings.Builder
	parser, err := newParser(s, env, &output)
	if err != nil {
		return s, err
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
	// kong replaces what is not UTF-8 in the words that it has gone through.
	s.Command = slices.Clone(head[len(head)-len(s.Command):])
	switch {
	case !s.dashes:
	case len(s.Command) > 0: // app -- x: this "--" is the app's
		s.Command = slices.Concat(s.Command, []string{"--"}, tail)
	case len(tail) == 0:
		return s, errors.New(`expected a command after "--"; without a command leave out the "--"`)
	default:
		s.Command = tail
	}
	return s, s.complete()
}

// newParser fills in s. Its model of the settings is what the help, and so the
// man page and the shell completions, are made from.
func newParser(s *settings, env []string, output io.Writer) (*kong.Kong, error) {
	parser, err := kong.New(s,
		kong.Name("envoy-wait"),
		kong.Vars{"version": "envoy-wait " + buildVersion(), "proxies": proxyNames()},
		kong.Writers(output, output),
		kong.Help(printHelp),
		// kong goes on parsing after --help, so what it returns then is moot.
		kong.Exit(func(int) { s.answered = true }),
		kong.Resolvers(resolver(env)),
	)
	if err != nil {
		return nil, err
	}
	parser.Model.HelpFlag.Help = "print this help and exit"
	for _, flag := range parser.Model.Flags {
		if isSetting(flag) {
			s.variables = append(s.variables, variableName(flag.Name))
		}
	}
	return parser, nil
}

// complete refuses what does not go together, and fills in the defaults that
// depend on other settings.
func (s *settings) complete() error {
	if s.Install != nil && (*s.Install == "" || s.hasCommand() || s.Once) {
		return &badValue{"--install", *s.Install, "a path, and neither a command nor --once"}
	}
	if s.Once && s.hasCommand() {
		return &badValue{"--once", s.Command[0], "no command"}
	}
	proxy := proxyCalled(s.Proxy)
	if s.urlGiven = len(s.URLs) > 0; !s.urlGiven {
		s.URLs = urls{proxy.ready}
	}
	if s.Status == nil {
		s.Status, _ = parseStatuses(proxy.status)
	}
	if s.RequestTimeout == 0 {
		s.RequestTimeout = duration(probe.DefaultRequestTimeout)
		if s.Once {
			// The kubelet gives an exec probe 1 s by default.
			s.RequestTimeout = duration(900 * time.Millisecond)
		}
	}
	if bool(s.Quit) && len(s.QuitURLs) == 0 {
		if proxy.quit == "" {
			return &badValue{"--proxy or " + variableName("proxy"), proxy.name, "one that a POST ends, or a --quit-url, with --quit"}
		}
		s.QuitURLs = quitURLs{proxy.quit}
	}
	return s.validateJob()
}

func (s *settings) hasCommand() bool { return len(s.Command) > 0 }

func (s *settings) probeConfig(onAttempt func(probe.Attempt)) probe.Config {
	timeout := time.Duration(s.Timeout)
	if timeout == 0 {
		timeout = probe.NoTimeout
	}
	return probe.Config{
		URLs:           s.URLs,
		Accepts:        s.Status.contain,
		AbsentAfter:    time.Duration(s.AbsentAfter),
		Once:           s.Once,
		Timeout:        timeout,
		RequestTimeout: time.Duration(s.RequestTimeout),
		Interval:       time.Duration(s.Interval),
		UserAgent:      userAgent(),
		OnAttempt:      onAttempt,
	}
}

// usageError is our own message where one is inside kong's, which does not know
// of variables, else kong's, which repeats what was typed as it is.
func usageError(err error) error {
	var bad *badValue
	if errors.As(err, &bad) {
		return bad
	}
	printable := strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, err.Error())
	return fmt.Errorf("%s; see envoy-wait --help", printable)
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

func userAgent() string { return "envoy-wait/" + buildVersion() }

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
		_, _ = fmt.Fprintf(table, "  %s\t%s\n", strings.TrimSpace("--"+flag.Name+" "+placeholder(flag)), strings.TrimSpace(flag.Help+" "+shownDefault(flag)))
	}
	_ = table.Flush()
	_, _ = fmt.Fprint(w, `
URLs: http://host:port/path, https, unix:///path/to/socket:/ready, tcp://host:port
(accepts a connection), file:///path (is there, and not empty).
A flag goes before its variable: --on-timeout is ENVOY_WAIT_ON_TIMEOUT, and so
on; --once and --install have none. Variables take URLs separated by commas.

`)
	_, _ = fmt.Fprintln(table, "proxy\tready at\tstatus\tends by a POST to")
	for _, p := range proxies {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", p.name, p.ready, p.status, cmp.Or(p.quit, "-"))
	}
	return table.Flush()
}

func shownDefault(flag *kong.Flag) string {
	value := cmp.Or(flag.Tag.Get("shown"), flag.Default)
	if value == "" || flag.IsBool() {
		return ""
	}
	return "(" + value + ")"
}

func placeholder(flag *kong.Flag) string {
	switch {
	case flag.IsBool():
		return ""
	case flag.PlaceHolder == "" && flag.Enum != "":
		return strings.ReplaceAll(flag.Enum, ",", "|")
	default:
		return flag.PlaceHolder
	}
}
