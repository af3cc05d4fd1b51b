package cli

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// flags are what kong parses: words, and nothing but words. Tags of our own:
// variable is where else a flag is read from, "" where nowhere; normally is the
// default as the help shows it; values are all that the flag takes; switch marks
// those that need no value.
//
// --once and --install have no variable: in an envFrom that containers share it
// would break every app.
type flags struct {
	Sidecar     *string  `name:"sidecar" group:"Wait for" variable:"ENVOY_WAIT_SIDECAR" placeholder:"NAME" normally:"istio" help:"preset for a known sidecar: URL, ready statuses and quit URL"`
	URL         []string `name:"url" sep:"none" group:"Wait for" variable:"ENVOY_WAIT_URL" placeholder:"URL" normally:"the sidecar's" help:"endpoint to wait for; repeat it to wait for several"`
	ReadyStatus []string `name:"ready-status" sep:"none" group:"Wait for" variable:"ENVOY_WAIT_READY_STATUS" placeholder:"LIST" normally:"the sidecar's" help:"HTTP statuses that count as ready, such as 200,204 or 2xx"`

	Timeout        *string `name:"timeout" group:"How long" variable:"ENVOY_WAIT_TIMEOUT" placeholder:"D" normally:"60s" help:"give up after D; 0 never gives up"`
	OnTimeout      *string `name:"on-timeout" group:"How long" variable:"ENVOY_WAIT_ON_TIMEOUT" values:"start,fail" normally:"start" help:"after a timeout start the command with a warning, or exit 124"`
	AbsentAfter    *string `name:"absent-after" group:"How long" variable:"ENVOY_WAIT_ABSENT_AFTER" placeholder:"D" normally:"off" help:"give up after D if every attempt was refused: no sidecar"`
	RequestTimeout *string `name:"request-timeout" group:"How long" variable:"ENVOY_WAIT_REQUEST_TIMEOUT" placeholder:"D" normally:"5s" help:"limit of one attempt, connect to headers; 900ms with --once"`
	Interval       *string `name:"interval" group:"How long" variable:"ENVOY_WAIT_INTERVAL" placeholder:"D" normally:"500ms" help:"longest pause between two attempts, at least 10ms"`
	Disabled       *string `name:"disabled" group:"How long" variable:"ENVOY_WAIT_DISABLED" switch:"" normally:"false" help:"start the command at once, without a wait"`

	Quit        *string  `name:"quit" group:"A Job" variable:"ENVOY_WAIT_QUIT" switch:"" normally:"false" help:"after the command has ended, POST to the sidecar's quit URL"`
	QuitURL     []string `name:"quit-url" sep:"none" group:"A Job" variable:"ENVOY_WAIT_QUIT_URL" placeholder:"URL" help:"after the command has ended, POST to URL; repeat it for several"`
	QuitOn      *string  `name:"quit-on" group:"A Job" variable:"ENVOY_WAIT_QUIT_ON" values:"always,success" normally:"always" help:"quit the sidecar after any end, or only after exit status 0"`
	QuitTimeout *string  `name:"quit-timeout" group:"A Job" variable:"ENVOY_WAIT_QUIT_TIMEOUT" placeholder:"D" normally:"5s" help:"limit of all quit requests together"`

	LogFormat *string `name:"log-format" group:"Output" variable:"ENVOY_WAIT_LOG_FORMAT" values:"auto,json,text" normally:"auto" help:"format of the log; auto is text on a terminal, else json"`
	LogLevel  *string `name:"log-level" group:"Output" variable:"ENVOY_WAIT_LOG_LEVEL" values:"debug,info,warn,error" placeholder:"LEVEL" normally:"info" help:"lowest level to log: debug, info, warn or error"`
	Compat    *string `name:"compat" group:"Output" variable:"ENVOY_WAIT_COMPAT" values:"none,scuttle" normally:"none" help:"scuttle: also read scuttle's variables"`

	Once    *string `name:"once" group:"Instead of a wait" switch:"" help:"make one attempt, then exit 0 if ready, else 1"`
	Install *string `name:"install" group:"Instead of a wait" placeholder:"PATH" help:"copy this binary to PATH, or into the directory PATH, and exit"`
	Version bool    `name:"version" group:"Instead of a wait" help:"print the version and exit"`
	Help    bool    `name:"help" short:"h" group:"Instead of a wait" help:"print this help and exit"`

	Command []string `arg:"" optional:"" passthrough:"partial"`
}

// words is a command line taken apart.
type words struct {
	given   map[string][]string // by flag: its values, where it was given
	dashes  bool                // there was a "--"
	command []string
	answer  string // what --help or --version prints, or ""
}

func parseWords(args []string) (words, error) {
	// Cut at the first "--" before kong sees it, which would keep it.
	head, tail, dashes := args, []string(nil), false
	if i := slices.Index(args, "--"); i >= 0 {
		head, tail, dashes = args[:i], args[i+1:], true
	}
	var f flags
	w := words{dashes: dashes}
	parser, err := newParser(&f)
	if err != nil {
		return w, err
	}
	_, err = parser.Parse(withValues(head))
	if last := lastFlag(head); len(f.Command) == 0 && last.Placeholder != "" {
		err = fmt.Errorf("--%s: the value is missing", last.Name)
	}
	if err != nil {
		w.given, w.command = scan(head)
		w.command = append(w.command, tail...)
		return w, fmt.Errorf("%w; see envoy-wait --help", err)
	}
	w.given = given(parser)
	// kong replaces what is not UTF-8 in the words that it has gone through.
	w.command = slices.Clone(head[len(head)-len(f.Command):])
	switch {
	case len(w.command) > 0 && dashes: // app -- x: this "--" is the app's
		w.command = slices.Concat(w.command, []string{"--"}, tail)
	case dashes:
		w.command = tail
	}
	switch {
	case f.Help:
		w.answer = helpText()
	case f.Version:
		w.answer = "envoy-wait " + Version() + "\n"
	}
	return w, nil
}

func newParser(f *flags) (*kong.Kong, error) {
	return kong.New(f, kong.Name("envoy-wait"), kong.NoDefaultHelp(), kong.WithHyphenPrefixedParameters(true))
}

// withValues gives switches the value that they stand for, so that kong has to know
// no type but strings.
func withValues(args []string) []string {
	args = slices.Clone(args)
	for i, arg := range args {
		if name, ok := strings.CutPrefix(arg, "--"); ok && flagCalled(name).Switch {
			args[i] = arg + "=true"
		}
	}
	return args
}

// given returns the words that kong has found, by flag.
func given(parser *kong.Kong) map[string][]string {
	all := map[string][]string{}
	for _, flag := range parser.Model.Flags {
		switch value := flag.Target.Interface().(type) {
		case *string:
			if value != nil {
				all[flag.Name] = []string{*value}
			}
		case []string:
			if value != nil {
				all[flag.Name] = value
			}
		}
	}
	return all
}

// scan finds the flags of a command line that kong has refused: what they say of the
// log and of Quit still holds.
func scan(args []string) (given map[string][]string, command []string) {
	given = map[string][]string{}
	for i := 0; i < len(args); i++ {
		name, value, hasValue := strings.Cut(strings.TrimPrefix(args[i], "--"), "=")
		flag := flagCalled(name)
		switch {
		case !strings.HasPrefix(args[i], "-"):
			return given, args[i:]
		case flag.Name == "":
			continue
		case flag.Switch && !hasValue:
			value = "true"
		case !hasValue && i+1 < len(args):
			i++
			value = args[i]
		}
		given[name] = append(given[name], value)
	}
	return given, nil
}

// lastFlag returns the flag that is the last word, or a zero Flag.
func lastFlag(args []string) Flag {
	if len(args) == 0 || !strings.HasPrefix(args[len(args)-1], "--") {
		return Flag{}
	}
	return flagCalled(strings.TrimPrefix(args[len(args)-1], "--"))
}

// moduleVersion is the version that go install has noted, or "".
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return ""
}
