package cli

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// helpText is made from the flags by make docs.
//
//go:embed help.txt
var helpText string

// flags are what kong parses: words, and nothing but words. Tags of our own: variable is where else a flag is read
// from, "" where nowhere; normally is the default as the help shows it; values are all that the flag takes; switch
// marks those that need no value; repeats those of which every value counts, not the last.
//
// --once and --install have no variable: in an envFrom that containers share it would break every app.
type flags struct {
	Sidecar     []string `name:"sidecar" sep:"none" group:"Wait for" variable:"ENVOY_WAIT_SIDECAR" values:"istio,envoy,consul,kuma,linkerd,dapr,cloud-sql-proxy" placeholder:"NAME" normally:"istio" help:"preset for a known sidecar: URL, ready statuses and quit URL"`
	URL         []string `name:"url" sep:"none" repeats:"" group:"Wait for" variable:"ENVOY_WAIT_URL" placeholder:"URL" normally:"the sidecar's" help:"endpoint to wait for; repeat it to wait for several"`
	ReadyStatus []string `name:"ready-status" sep:"none" repeats:"" group:"Wait for" variable:"ENVOY_WAIT_READY_STATUS" placeholder:"LIST" normally:"the sidecar's" help:"HTTP statuses that count as ready, such as 200,204 or 2xx"`

	Timeout        []string `name:"timeout" sep:"none" group:"How long" variable:"ENVOY_WAIT_TIMEOUT" placeholder:"D" normally:"60s" help:"give up after D; 0 never gives up"`
	OnTimeout      []string `name:"on-timeout" sep:"none" group:"How long" variable:"ENVOY_WAIT_ON_TIMEOUT" values:"start,fail" normally:"start" help:"after a timeout start the command with a warning, or exit 124"`
	AbsentAfter    []string `name:"absent-after" sep:"none" group:"How long" variable:"ENVOY_WAIT_ABSENT_AFTER" placeholder:"D" normally:"off" help:"give up after D if every attempt was refused: no sidecar"`
	RequestTimeout []string `name:"request-timeout" sep:"none" group:"How long" variable:"ENVOY_WAIT_REQUEST_TIMEOUT" placeholder:"D" normally:"5s" help:"limit of one attempt, connect to headers; 900ms with --once"`
	Interval       []string `name:"interval" sep:"none" group:"How long" variable:"ENVOY_WAIT_INTERVAL" placeholder:"D" normally:"500ms" help:"longest pause between two attempts, at least 10ms"`
	Disabled       []string `name:"disabled" sep:"none" group:"How long" variable:"ENVOY_WAIT_DISABLED" switch:"" normally:"false" help:"start the command at once, without a wait"`

	Quit        []string `name:"quit" sep:"none" group:"A Job" variable:"ENVOY_WAIT_QUIT" switch:"" normally:"false" help:"after the command has ended, POST to the sidecar's quit URL"`
	QuitURL     []string `name:"quit-url" sep:"none" repeats:"" group:"A Job" variable:"ENVOY_WAIT_QUIT_URL" placeholder:"URL" help:"after the command has ended, POST to URL; repeat it for several"`
	QuitOn      []string `name:"quit-on" sep:"none" group:"A Job" variable:"ENVOY_WAIT_QUIT_ON" values:"always,success" normally:"always" help:"quit the sidecar after any end, or only after exit status 0"`
	QuitTimeout []string `name:"quit-timeout" sep:"none" group:"A Job" variable:"ENVOY_WAIT_QUIT_TIMEOUT" placeholder:"D" normally:"5s" help:"limit of all quit requests together"`

	LogFormat []string `name:"log-format" sep:"none" group:"Output" variable:"ENVOY_WAIT_LOG_FORMAT" values:"auto,json,text" normally:"auto" help:"format of the log; auto is text on a terminal, else json"`
	LogLevel  []string `name:"log-level" sep:"none" group:"Output" variable:"ENVOY_WAIT_LOG_LEVEL" values:"debug,info,warn,error" placeholder:"LEVEL" normally:"info" help:"lowest level to log: debug, info, warn or error"`
	Compat    []string `name:"compat" sep:"none" group:"Output" variable:"ENVOY_WAIT_COMPAT" values:"none,scuttle" normally:"none" help:"scuttle: also read scuttle's variables"`

	Once    []string `name:"once" sep:"none" group:"Instead of a wait" switch:"" help:"make one attempt, then exit 0 if ready, else 1"`
	Install []string `name:"install" sep:"none" group:"Instead of a wait" placeholder:"PATH" help:"copy this binary to PATH, or into the directory PATH, and exit"`
	Version []string `name:"version" sep:"none" switch:"" group:"Instead of a wait" help:"print the version and exit"`
	Help    []string `name:"help" sep:"none" short:"h" switch:"" group:"Instead of a wait" help:"print this help and exit"`
}

// newParser has the flags in its model, with their tags.
func newParser() (*kong.Kong, error) {
	return kong.New(&flags{}, kong.Name("envoy-wait"), kong.NoDefaultHelp())
}

// parseWords returns a reader of the flags in args, and the command. With an error the flags that are known hold all
// the same: what they say of the log and of Quit.
func parseWords(args, env []string) (r *reader, command []string, meant bool, err error) {
	parser, err := newParser()
	if err != nil {
		return nil, nil, false, err
	}
	r = &reader{model: parser.Model, given: map[string][]string{}, env: env}
	words, command, meant := r.split(args)
	if _, err = parser.Parse(words); err != nil {
		err = fmt.Errorf("%w; see envoy-wait --help", err)
		known := slices.DeleteFunc(words, func(word string) bool { return r.flag(nameIn(word)) == nil })
		_, _ = parser.Parse(known)
	}
	for _, flag := range parser.Model.Flags {
		if values := flag.Target.Interface().([]string); values != nil {
			r.given[flag.Name] = values
		}
	}
	return r, command, meant, err
}

// split takes a command line apart. Each flag gets its value behind a "=", so that kong needs to know nothing of
// switches, of values that look like flags, and of the command, which begins at "--" or at the first word that is not
// a flag. meant says that there was such a word.
func (r *reader) split(args []string) (flags, command []string, meant bool) {
	for i := 0; i < len(args); i++ {
		word, next := args[i], args[i:][1:]
		known := r.flag(nameIn(word))
		switch {
		case word == "--":
			return flags, next, true
		case !strings.HasPrefix(word, "-") || word == "-":
			return flags, args[i:], true
		case word == "-h":
			word = "--help=true"
		case strings.Contains(word, "="):
		case known != nil && known.Tag.Has("switch"):
			word += "=true"
		case len(next) > 0 && next[0] != "--" && (known != nil || !strings.HasPrefix(next[0], "-")):
			word += "=" + next[0]
			i++
		case known != nil:
			word += "=" // the value is missing, and none is empty
		}
		flags = append(flags, word)
	}
	return flags, nil, false
}

// nameIn returns the name of the flag in a word such as --name or --name=value.
func nameIn(word string) string {
	name, _, _ := strings.Cut(word, "=")
	return strings.TrimPrefix(name, "--")
}
