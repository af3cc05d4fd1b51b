package cli

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
)

// The documents are made here, in a test, so that they are part of neither the
// binary nor its build.
var update = flag.Bool("update", false, "write what is made from the flags instead of comparing it")

// TestDocs checks that what people read about the flags says what the flags are.
func TestDocs(t *testing.T) {
	facts := facts{Groups: groups(Flags()), Flags: Flags(), Presets: presetRows(), Exits: exitStatuses(t)}
	for path, text := range map[string]string{
		"../../docs/envoy-wait.1":               manPage,
		"../../docs/flags.md":                   flagsPage,
		"../../docs/completion/envoy-wait.bash": bashCompletion,
		"../../docs/completion/_envoy-wait":     zshCompletion,
		"../../docs/completion/envoy-wait.fish": fishCompletion,
	} {
		sameFile(t, path, fill(t, text, facts))
	}

	const readme = "../../README.md"
	facts.Flags = slices.DeleteFunc(slices.Clone(Flags()), func(f Flag) bool { return !slices.Contains(popular, f.Name) })
	table := regexp.MustCompile(`(?s)(<!-- flags[^\n]*-->\n).*?(<!-- end -->)`)
	if !table.MatchString(contents(t, readme)) {
		t.Fatal("README.md has no place for the flags")
	}
	lines := strings.ReplaceAll(fill(t, readmeFlags, facts), "$", "$$")
	sameFile(t, readme, table.ReplaceAllString(contents(t, readme), "${1}"+lines+"${2}"))
}

// popular are the flags that the README shows.
var popular = []string{"sidecar", "url", "timeout", "on-timeout", "absent-after", "disabled", "quit", "once"}

// TestReadmeHasAllExitStatuses reads the README's table of them.
func TestReadmeHasAllExitStatuses(t *testing.T) {
	_, section, _ := strings.Cut(contents(t, "../../README.md"), "\n## Exit status\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, exit := range exitStatuses(t) {
		if !regexp.MustCompile(`(?m)^\|[^|]*\b` + regexp.QuoteMeta(exit.Code) + `\b`).MatchString(section) {
			t.Errorf("got no row for %s, want one: %s", exit.Code, exit.When)
		}
	}
}

func sameFile(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if contents(t, path) != want {
		t.Errorf("%s is not what the flags say: run make docs", path)
	}
}

func contents(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(content)
}

// facts is what the templates are filled with.
type facts struct {
	Groups  []group
	Flags   []Flag
	Presets []presetRow
	Exits   []exitStatus
}

type group struct {
	Name  string
	Flags []Flag
}

type exitStatus struct{ Code, When string }

// presetRow is a preset as the templates see it: they read exported fields alone.
type presetRow struct{ Name, Ready, Status, Quit, Note string }

func presetRows() (rows []presetRow) {
	for _, p := range presets {
		rows = append(rows, presetRow{p.name, p.ready, p.status, p.quit, p.note})
	}
	return rows
}

func groups(flags []Flag) (all []group) {
	for _, flag := range flags {
		if len(all) == 0 || all[len(all)-1].Name != flag.Group {
			all = append(all, group{Name: flag.Group})
		}
		last := &all[len(all)-1]
		last.Flags = append(last.Flags, flag)
	}
	return all
}

// exitStatuses reads the constants exit… of main.go and the comments on them.
func exitStatuses(t *testing.T) []exitStatus {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../main.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var exits []exitStatus
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "exit") {
			return true
		}
		code, when := spec.Values[0].(*ast.BasicLit).Value, strings.TrimSpace(spec.Comment.Text())
		if rest, ok := strings.CutPrefix(when, "plus n: "); ok {
			code, when = code+"+n", rest
		}
		exits = append(exits, exitStatus{code, when})
		return true
	})
	if len(exits) == 0 {
		t.Fatal("main.go has no exit statuses")
	}
	return exits
}

func fill(t *testing.T, text string, facts facts) string {
	t.Helper()
	functions := template.FuncMap{
		"cell":   cell.Replace,
		"fish":   fishSpecial.Replace,
		"join":   strings.Join,
		"roff":   roff,
		"takers": takers,
		"value":  value,
		"zsh":    zshSpecial.Replace,
	}
	var filled strings.Builder
	if err := template.Must(template.New("").Funcs(functions).Parse(text)).Execute(&filled, facts); err != nil {
		t.Fatal(err)
	}
	return filled.String()
}

// What has a meaning in a table's cell, between single quotes in a specification
// of zsh's _arguments, and between those of fish.
var (
	cell        = strings.NewReplacer("|", `\|`)
	zshSpecial  = strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`, `\`, `\\`, "'", `'\''`)
	fishSpecial = strings.NewReplacer(`\`, `\\`, "'", `\'`)
)

// takers are the flags that take a value, which is the next word.
func takers(flags []Flag, separator string) string {
	var names []string
	for _, flag := range flags {
		if flag.Placeholder != "" {
			names = append(names, "--"+flag.Name)
		}
	}
	return strings.Join(names, separator)
}
