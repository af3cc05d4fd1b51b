package cli

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"text/tabwriter"
)

// Flag is what help, man page and completions say of a flag.
type Flag struct {
	Name, Group, Help string
	Placeholder       string // of the value; "" for a switch
	Default           string // "" where there is none
	Variable          string // "" where there is none
	Values            []string
	Switch            bool // it needs no value
	Repeats           bool
}

// Preset is what they say of a preset.
type Preset struct {
	Name, Ready, Status, Quit, Note string
}

// Flags returns the flags in the order of the help.
func Flags() []Flag { return allFlags() }

var allFlags = sync.OnceValue(func() (all []Flag) {
	for _, field := range reflect.VisibleFields(reflect.TypeFor[flags]()) {
		tag := field.Tag
		flag := Flag{
			Name: tag.Get("name"), Group: tag.Get("group"), Help: tag.Get("help"), Default: tag.Get("normally"),
			Variable: tag.Get("variable"), Values: splitList(tag.Get("values")), Repeats: field.Type.Kind() == reflect.Slice,
		}
		if flag.Name == "" {
			continue // the command
		}
		if flag.Name == "sidecar" {
			flag.Values = presetNames()
		}
		_, flag.Switch = tag.Lookup("switch")
		if flag.Placeholder = tag.Get("placeholder"); flag.Placeholder == "" {
			flag.Placeholder = strings.Join(flag.Values, "|")
		}
		all = append(all, flag)
	}
	return all
})

// flagCalled returns the flag of that name, or a zero Flag.
func flagCalled(name string) Flag {
	for _, flag := range Flags() {
		if flag.Name == name {
			return flag
		}
	}
	return Flag{}
}

// Presets returns the presets in the order of the help.
func Presets() (all []Preset) {
	for _, p := range presets {
		all = append(all, Preset{p.name, p.ready, p.status, p.quit, p.note})
	}
	return all
}

// helpText is the same everywhere, so that documents can show it. kong's own fits its
// lines to the terminal, and its summary knows nothing of a wrapped command.
func helpText() string {
	var text strings.Builder
	text.WriteString(`Usage: envoy-wait [flags] [--] [command [args...]]

Wait until the sidecar is ready, then become the command. Without a command,
wait only.
`)
	group := ""
	for _, flag := range Flags() {
		if flag.Group != group {
			group = flag.Group
			fmt.Fprintf(&text, "\n%s:\n", group)
		}
		text.WriteString(helpLine(flag))
	}
	text.WriteString(`
URLs: http://host:port/path, https, unix:///path/to/socket:/ready,
tcp://host:port (accepts a connection), file:///path (is there and not empty).
Each flag but those of the last group has a variable: --on-timeout is
ENVOY_WAIT_ON_TIMEOUT. In a variable, commas separate URLs.

`)
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "Sidecar\tReady, on localhost\tQuit by POST")
	for _, p := range presets {
		ready, quit := localPart(p.ready), localPart(p.quit)
		if p.status != "200" {
			ready += " is " + p.status
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", p.name, ready, quit)
	}
	fmt.Fprintln(table)
	for _, p := range presets {
		if p.note != "" {
			fmt.Fprintf(table, "%s\t%s\n", p.name, p.note)
		}
	}
	_ = table.Flush()
	return text.String()
}

// helpLine fits into 80 columns.
func helpLine(flag Flag) string {
	const width, indent = 80, 31
	text := flag.Help
	if flag.Default != "" && !flag.Switch {
		text += " (" + flag.Default + ")"
	}
	line := fmt.Sprintf("  %-*s", indent-2, strings.TrimSpace("--"+flag.Name+" "+flag.Placeholder))
	var lines strings.Builder
	for _, word := range strings.Fields(text) {
		if len(line)+len(word) > width {
			lines.WriteString(strings.TrimRight(line, " ") + "\n")
			line = strings.Repeat(" ", indent)
		}
		line += word + " "
	}
	return lines.String() + strings.TrimRight(line, " ") + "\n"
}

// localPart is a URL without its scheme and host.
func localPart(url string) string {
	if url == "" {
		return "-"
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(url, "http://"), ":")
	return ":" + port
}
