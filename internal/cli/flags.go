package cli

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/probe"
)

// flags is the command line. A flag without a default is off. One tag is not kong's: least is the shortest time that a
// flag takes.
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
// variable for a value, and complains of a bad one whose flag is given.
func newParser(f *flags) *kong.Kong {
	parser := kong.Must(f,
		kong.Description("Wait until the sidecar is ready, then become the command. Without a command, wait only."),
		kong.NoDefaultHelp(),
		kong.Resolvers(&variables{env: f.env}),
		kong.KindMapper(reflect.String, kong.MapperFunc(decodeText)),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
	)
	for _, flag := range parser.Model.Flags {
		if flag.HasDefault {
			flag.Help += " (" + flag.Default + ")"
		}
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
	if _, err := f.QuitURL.valid(probe.ValidateQuitURL, probe.DefaultQuitURL); err != nil {
		return fmt.Errorf("%s: %w", given(ctx, &f.QuitURL), err)
	}
	switch name, _ := switchBefore(ctx.Args, f.Command); {
	case f.Sidecar.Ready == "":
		return fmt.Errorf("%s: %q: expected one of %s", given(ctx, &f.Sidecar), f.Sidecar.Name, strings.Join(presetNames(), ", "))
	case name != "":
		return fmt.Errorf(`%s %s: expected %[1]s=%s, or "--" before a command of that name`, name, command[0])
	case len(ctx.Args) == maxWords && len(command) == 0:
		return fmt.Errorf("expected a command within %d words", maxWords)
	case wanted && len(command) == 0:
		return errors.New(`expected a command after "--"; without a command leave out the "--"`)
	case f.Once && f.Install != "", wanted && (f.Once || f.Install != ""):
		return errors.New("expected one of --once, --install and a command")
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

// switchBefore returns the switch just before a command whose name reads like its value, and whether that means off.
func switchBefore(args, command []string) (name string, off bool) {
	values := []string{"true", "1", "yes", "false", "0", "no"}
	last := len(args) - len(command) - 1
	if len(command) > 0 && slices.Contains(values, strings.ToLower(command[0])) && last >= 0 &&
		strings.HasPrefix(args[last], "-") && !strings.Contains(args[last], "=") {
		return args[last], slices.Index(values, strings.ToLower(command[0])) > 2
	}
	return "", false
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
	_ = kong.DefaultHelpPrinter(kong.HelpOptions{NoAppSummary: true, WrapUpperBound: 80, ValueFormatter: kong.DefaultHelpValueFormatter}, ctx) // to a string
	text.WriteString(`
URLs: http://host:port/path, https, unix:///path/to/socket:/ready,
tcp://host:port (accepts a connection), file:///path (is there and not empty).
Commas separate URLs; a comma inside a URL is %2C. Each flag but those of the
last group has a variable: --on-timeout is ENVOY_WAIT_ON_TIMEOUT.

Sidecars:
`)
	for _, p := range Presets {
		fmt.Fprintf(&text, "  %-16s ready: %s is %d\n%25s %s\n%18s (%s)\n", p.Name, p.Ready, p.Status, "quit:", cmp.Or(p.Quit, "none"), "", p.Note)
	}
	return text.String()
}

// decode takes the value of a flag, which is never empty. A value that begins with "-" needs a "=" before it.
func decode(ctx *kong.DecodeContext, expected string, accept func(text string) bool) error {
	token, err := ctx.Scan.PopValue("")
	text := token.String()
	if token.IsEOL() {
		text = ""
	}
	if err != nil || text == "" || !accept(text) {
		return fmt.Errorf("%q: expected %s", text, expected)
	}
	return nil
}

// decodeText decodes a string byte by byte. kong's own mapper goes through JSON, which cannot hold a byte such as \xff.
func decodeText(ctx *kong.DecodeContext, target reflect.Value) error {
	if ctx.Value.Flag == nil { // a word of the command
		target.SetString(ctx.Scan.Pop().String())
		return nil
	}
	return decode(ctx, ctx.Value.Flag.PlaceHolder, func(text string) bool {
		target.SetString(text)
		return ctx.Value.Enum == "" || slices.Contains(ctx.Value.EnumSlice(), text)
	})
}

// decodeDuration decodes a time.Duration that is not below the tag least.
func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	least := ctx.Value.Tag.Get("least")
	return decode(ctx, "a duration such as 90s, at least "+least, func(text string) bool {
		shortest, _ := time.ParseDuration(least)
		d, err := time.ParseDuration(text)
		target.SetInt(int64(d))
		rounded := d == 0 && strings.ContainsAny(text, "123456789") // 0.1ns is not "never gives up"
		return err == nil && d >= shortest && !rounded
	})
}

// list is the value of a flag with several URLs. Whether they are valid is asked later: the valid ones count even if
// others are not.
type list []string

// Decode splits the value at its commas. Hundreds of endpoints together would make the deadline of a wait late.
func (l *list) Decode(ctx *kong.DecodeContext) error {
	return decode(ctx, "1 to 100 URLs", func(text string) bool {
		*l = append(*l, strings.Split(text, ",")...)
		return len(*l) <= 100
	})
}

// valid returns the valid URLs, each once, and what is wrong with the first of the others.
func (l list) valid(validate func(string) error, example string) (urls []string, err error) {
	for _, url := range l {
		wrong := validate(url)
		switch {
		case wrong == nil && !slices.Contains(urls, url):
			urls = append(urls, url)
		case wrong != nil && err == nil:
			err = fmt.Errorf("%q: expected a URL such as %s (a comma inside is %%2C); %w", strings.Join(l, ","), example, wrong)
		}
	}
	return urls, err
}

// statuses are the value of --ready-status: three digits each, or one digit and "xx".
type statuses []string

// Decode adds to the list.
func (s *statuses) Decode(ctx *kong.DecodeContext) error {
	return decode(ctx, "statuses from 200 to 599 separated by commas, or a class such as 2xx", func(text string) bool {
		*s = append(*s, strings.Split(text, ",")...)
		ok, _ := regexp.MatchString(`^([2-5](\d\d|xx),)+$`, text+",")
		return ok
	})
}

// variables is where kong finds values for the flags that are not on the line. A bad one does not end the parse.
type variables struct {
	env []string
	err error // of the first that is bad
}

// Resolve decodes a value once by itself, since kong would name the flag in the error.
func (v *variables) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, name := range flag.Envs {
		if text := lookup(v.env, name); text != "" {
			value := &kong.DecodeContext{Value: flag.Value, Scan: kong.ScanAsType(kong.FlagValueToken, text)}
			err := flag.Mapper.Decode(value, reflect.New(flag.Target.Type()).Elem())
			if err == nil {
				return text, nil
			}
			v.err = cmp.Or(v.err, fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil, nil
}

// Validate is called when all flags have their values.
func (v *variables) Validate(*kong.Application) error { return v.err }

// lookup returns "" for a variable that is not set or, as manifests often have them, empty.
func lookup(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name); ok && len(value) > 1 && value[0] == '=' {
			return value[1:]
		}
	}
	return ""
}

// serviceVariable is what the kubelet injects for a Service called envoy-wait, or one whose name begins so:
// kubernetes.io/docs/concepts/services-networking/service.
const serviceVariable = `_(SERVICE_HOST|PORT_\w+_ADDR)=[0-9a-f.:]+$|_(SERVICE_PORT\w*|PORT_\w+_PORT)=\d+$|_PORT(_\w+)?=(tcp|udp|sctp)(://.+)?$`

// warnOfUnknown adds one warning, of all variables that look like ours and that no flag has.
func (f *flags) warnOfUnknown(ctx *kong.Context) {
	var known, unknown []string
	for _, flag := range ctx.Model.Flags {
		known = append(known, flag.Envs...)
	}
	isService := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(serviceVariable) }) // hardly ever asked
	for _, entry := range f.env {
		name, value, _ := strings.Cut(entry, "=")
		if value != "" && strings.HasPrefix(name, "ENVOY_WAIT_") && !slices.Contains(known, name) && !isService().MatchString(entry) {
			unknown = append(unknown, name)
		}
	}
	if len(unknown) > 0 {
		f.warn("%s: unknown variable, ignored; known are %s", strings.Join(unknown, ", "), strings.Join(known, ", "))
	}
}
