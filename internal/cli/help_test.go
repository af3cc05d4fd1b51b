package cli

import (
	"fmt"
	"strings"
	"testing"
	"text/tabwriter"
)

// TestDocsHelp: the text of --help says what the flags and presets are.
func TestDocsHelp(t *testing.T) { sameFile(t, "help.txt", makeHelp()) }

// helpText is the same everywhere, so that documents can show it. kong's own fits its lines to the terminal,
// and its summary knows nothing of a wrapped command.
func makeHelp() string {
	var text strings.Builder
	text.WriteString(`Usage: envoy-wait [flags] [--] [command [args...]]

Wait until the sidecar is ready, then become the command. Without a command,
wait only.
`)
	group := ""
	for _, f := range Flags() {
		if f.Group != group {
			group = f.Group
			fmt.Fprintf(&text, "\n%s:\n", group)
		}
		text.WriteString(helpLine(f))
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
func helpLine(f Flag) string {
	const width, indent = 80, 31
	text := f.Help
	if f.Default != "" && !f.Switch {
		text += " (" + f.Default + ")"
	}
	line := fmt.Sprintf("  %-*s", indent-2, strings.TrimSpace("--"+f.Name+" "+f.Placeholder))
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
