package cli

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// flags is the command line. One tag is not kong's: least is the shortest time that a flag takes.
type flags struct {
	Sidecar     Preset   `group:"Wait for:" placeholder:"NAME" default:"istio" help:"preset for a known sidecar: URL, ready status and quit URL"`
	URL         list     `group:"Wait for:" placeholder:"URL" help:"endpoint to wait for, in place of the default sidecar; repeatable"`
	ReadyStatus statuses `group:"Wait for:" placeholder:"LIST" help:"HTTP statuses that count as ready, such as 200,204 or 2xx"`

	Timeout        time.Duration `group:"How long:" placeholder:"D" default:"60s" least:"0s" help:"give up after D; 0 never gives up"`
	OnTimeout      string        `group:"How long:" enum:"start,fail" default:"start" help:"after a timeout start the command with a warning, or exit 124"`
	AbsentAfter    time.Duration `group:"How long:" placeholder:"D" least:"1ms" help:"give up after D if every attempt was refused: no sidecar"`
	RequestTimeout time.Duration `group:"How long:" placeholder:"D" default:"5s" least:"1ms" help:"limit of one attempt, connect to headers; 900ms with --once"`
	Interval       time.Duration `group:"How long:" placeholder:"D" default:"500ms" least:"10ms" help:"longest pause between two attempts, at least 10ms"`
	Disabled       bool          `group:"How long:" help:"start the command at once, without a wait"`

	Quit        bool          `group:"A Job:" help:"after the command has ended, POST to the sidecar's quit URL"`
	QuitURL     list          `group:"A Job:" placeholder:"URL" help:"after the command has ended, POST to URL; repeatable"`
	QuitOn      string        `group:"A Job:" enum:"always,success" default:"always" help:"quit the sidecar after any end, or only after exit status 0"`
	QuitTimeout time.Duration `group:"A Job:" placeholder:"D" default:"5s" least:"1ms" help:"limit of all quit requests together"`

	LogFormat string `group:"Output:" enum:"auto,json,text" default:"auto" help:"format of the log; auto is text on a terminal, else json"`
	LogLevel  string `group:"Output:" enum:"debug,info,warn,error" default:"info" help:"lowest level to log"`
	Compat    string `group:"Output:" enum:"none,scuttle" default:"none" help:"scuttle: also read scuttle's variables"`

	Once    bool   `group:"Instead of a wait:" help:"make one attempt, then exit 0 if ready, else 1"`
	Install string `group:"Instead of a wait:" placeholder:"PATH" help:"copy this binary to PATH, or into the directory PATH, and exit"`
	Version bool   `group:"Instead of a wait:" help:"print the version and exit"`
	Help    bool   `group:"Instead of a wait:" short:"h" help:"print this help and exit"`

	Command []string `arg:"" optional:"" passthrough:"partial" help:"what to become, with its arguments; without it, wait only"`

	env      []string
	warnings []string
}

// newParser returns kong with these flags, and with their variables in Flag.Envs alone: kong itself takes an empty
// variable for a value, and complains of a bad one whose flag is given. The names are not from kong.DefaultEnvars, which
// makes a parse 15 % longer.
func newParser(f *flags) *kong.Kong {
	parser := kong.Must(f,
		kong.Name("envoy-wait"),
		kong.Description("Wait until the sidecar is ready, then become the command. Without a command, wait only."),
		kong.NoDefaultHelp(),
		kong.Resolvers(&variables{env: f.env}),
		kong.KindMapper(reflect.String, kong.MapperFunc(decodeText)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
	)
	for _, flag := range parser.Model.Flags {
		flag.PlaceHolder = cmp.Or(flag.PlaceHolder, strings.ReplaceAll(flag.Enum, ",", "|"))
		if flag.Group.Key != "Instead of a wait:" { // in a ConfigMap that containers share it would break every app
			flag.Envs = []string{"ENVOY_WAIT_" + strings.ToUpper(strings.ReplaceAll(flag.Name, "-", "_"))}
		}
	}
	return parser
}

// parseWords returns what kong understands, with the error about the first word that it refuses. The other words hold all
// the same: they say how to log, and whom to tell to quit.
func parseWords(parser *kong.Kong, words []string) (*kong.Context, error) {
	ctx, err := parser.Parse(words)
	if refused, ok := errors.AsType[*kong.ParseError](err); ok {
		ctx = refused.Context
	}
	if ctx.Error == nil { // else it is about a word, not from Validate
		return ctx, err
	}
	first := len(words) - len(ctx.Path[len(ctx.Path)-1].Remainder())
	next, last := first+1, len(words)
	if strings.HasPrefix(err.Error(), "unknown flag ") {
		err = unknownFlag(err, words[first])
		last-- // the last word may be the command
	}
	if next < last && !strings.Contains(words[first], "=") && !strings.HasPrefix(words[next], "-") {
		next++ // its value
	}
	ctx, _ = parseWords(parser, slices.Concat(words[:first], words[next:]))
	return ctx, err
}

// unknownFlag returns the error for a flag that kong does not know. kong suggests names that differ in two letters, which
// is wrong for a short name: --wait is not --quit.
func unknownFlag(suggestion error, word string) error {
	word, _, _ = strings.Cut(word, "=")
	text := "unknown flag " + word
	if len(word) > 2 && word[1] != '-' {
		text += ", expected two dashes"
	} else if len(word) > len("--quiet") {
		text = suggestion.Error()
	}
	return errors.New(text + "; see envoy-wait --help")
}

// Validate has the rules about more than one value.
func (f *flags) Validate(ctx *kong.Context) error {
	command, wanted := f.command()
	if _, err := f.URL.valid(probe.ValidateURL, probe.DefaultURL); err != nil {
		return fmt.Errorf("%s: %w", given(ctx, &f.URL), err)
	}
	if _, err := f.QuitURL.valid(probe.ValidateQuitURL, Presets[0].Quit); err != nil {
		return fmt.Errorf("%s: %w", given(ctx, &f.QuitURL), err)
	}
	switch name := switchBefore(ctx.Args, f.Command); {
	case name != "":
		return fmt.Errorf(`%s %s: expected %[1]s=%s, or "--" before a command of that name`, name, command[0])
	case len(ctx.Args) == maxWords && len(command) == 0:
		return fmt.Errorf("expected a command within %d words", maxWords)
	case wanted && len(command) == 0:
		return errors.New(`expected a command after "--"; without a command leave out the "--"`)
	case f.Install != "" && (wanted || f.Once):
		return fmt.Errorf("--install: %q: expected neither a command nor --once", f.Install)
	case f.Once && wanted:
		return fmt.Errorf("--once: %q: expected no command", command[0])
	case f.Once, f.Install != "", !f.Quit && len(f.QuitURL) == 0:
		return nil
	case runtime.GOOS != "linux":
		return fmt.Errorf("--quit, --quit-url and their variables: expected Linux, this is %s", runtime.GOOS)
	case len(f.QuitURL) == 0 && f.Sidecar.Quit == "":
		return fmt.Errorf("%s: %q: expected a sidecar that a POST can quit, or a --quit-url, with --quit (%s)", given(ctx, &f.Sidecar), f.Sidecar.Name, f.Sidecar.Note)
	case !wanted && (f.Quit || given(ctx, &f.QuitURL) != ""): // a script that waits only would lose its sidecar too early
		return errors.New("expected a command: --quit, --quit-url and their variables quit the sidecar after it")
	}
	return nil
}

// command returns the command, and whether one is wanted: there is one, or a "--".
func (f *flags) command() (command []string, wanted bool) {
	if len(f.Command) > 0 && f.Command[0] == "--" {
		return f.Command[1:], true
	}
	return f.Command, len(f.Command) > 0
}

// switchBefore returns the switch just before a command whose name reads like its value, or "".
func switchBefore(args, command []string) string {
	values := []string{"true", "1", "yes", "false", "0", "no"}
	last := len(args) - len(command) - 1
	if len(command) > 0 && slices.Contains(values, strings.ToLower(command[0])) && last >= 0 &&
		strings.HasPrefix(args[last], "-") && !strings.Contains(args[last], "=") {
		return args[last]
	}
	return ""
}

// given names the flag or the variable that the value of a field comes from, or returns "" for a default.
func given(ctx *kong.Context, field any) string {
	for _, p := range ctx.Path {
		if p.Flag != nil && p.Flag.Target.Addr().Interface() == field {
			if p.Resolved {
				return p.Flag.Envs[0]
			}
			return "--" + p.Flag.Name
		}
	}
	return ""
}

// answer returns what --help or --version asks for. kong's own usage line knows nothing of a wrapped command.
func (f *flags) answer(ctx *kong.Context) string {
	if f.Version {
		return "envoy-wait " + Version() + "\n"
	}
	var text strings.Builder
	text.WriteString("Usage: envoy-wait [flags] [--] [command [args...]]\n")
	ctx.Stdout = &text
	_ = kong.DefaultHelpPrinter(kong.HelpOptions{NoAppSummary: true, WrapUpperBound: 80, ValueFormatter: helpOf}, ctx) // to a string
	text.WriteString(`
URLs: http://host:port/path, https, unix:///path/to/socket:/ready,
tcp://host:port (accepts a connection), file:///path (is there and not empty).
Commas separate URLs; a comma inside a URL is %2C. Each flag but those of the
last group has a variable: --on-timeout is ENVOY_WAIT_ON_TIMEOUT.

Sidecar          Ready, at a port of localhost       Quit by POST
`)
	fromPort := func(url string) string { return url[strings.LastIndexByte(url, ':')+1:] }
	for _, p := range Presets {
		ready := fmt.Sprintf("%s is %d", fromPort(p.Ready), p.Status)
		fmt.Fprintf(&text, "%-15s  %-34s  %s\n", p.Name, ready, cmp.Or(fromPort(p.Quit), "none"))
		fmt.Fprintf(&text, "%15s  (%s)\n", "", p.Note)
	}
	return text.String()
}

// helpOf is what the help says of a flag.
func helpOf(value *kong.Value) string {
	if value.HasDefault {
		return value.Help + " (" + value.Default + ")"
	}
	return value.Help
}
