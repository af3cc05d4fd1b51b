package cli

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/alecthomas/kong"

	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// The documents are made here, in a test, so that they are part of neither the binary nor its build.
var update = flag.Bool("update", false, "write what is made from the flags instead of comparing it")

// TestDocs checks that what people read about the flags says what the flags are. Each document has a template in
// testdata.
func TestDocs(t *testing.T) {
	facts := facts{Groups: groups(model(t)), Flags: model(t), Presets: Presets, Exits: exitStatuses(t)}
	for _, path := range []string{
		"docs/envoy-wait.1", "docs/flags.md", "docs/completion/envoy-wait.bash", "docs/completion/_envoy-wait", "docs/completion/envoy-wait.fish",
	} {
		sameFile(t, "../../"+path, fill(t, filepath.Base(path), facts))
	}

	const readme = "../../README.md"
	facts.Flags = slices.DeleteFunc(model(t), func(f *kong.Flag) bool { return !slices.Contains(popular, f.Name) })
	document, err := markdown.Replace(contents(t, readme), "flags", fill(t, "README.md", facts))
	if err != nil {
		t.Fatal(err)
	}
	sameFile(t, readme, document)
}

// popular are the flags that the README shows.
var popular = []string{"sidecar", "timeout", "on-timeout", "quit"}

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
	Flags   []*kong.Flag
	Presets []Preset
	Exits   []exitStatus
}

type group struct {
	Name  string
	Flags []*kong.Flag
}

type exitStatus struct{ Code, When string }

// model returns the flags as kong knows them, in the order of the help.
func model(t testing.TB) []*kong.Flag {
	t.Helper()
	parser := newParser(&flags{})
	for _, flag := range parser.Model.Flags {
		flag.Help = strings.TrimSuffix(flag.Help, " ("+flag.Default+")") // the documents show the default elsewhere
	}
	return parser.Model.Flags
}

func groups(flags []*kong.Flag) (all []group) {
	for _, flag := range flags {
		name := strings.TrimSuffix(flag.Group.Title, ":")
		if len(all) == 0 || all[len(all)-1].Name != name {
			all = append(all, group{Name: name})
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

func fill(t *testing.T, name string, facts facts) string {
	t.Helper()
	functions := template.FuncMap{
		"cell":      cell.Replace,
		"choices":   choices,
		"fish":      fishSpecial.Replace,
		"join":      strings.Join,
		"otherwise": otherwise,
		"repeats":   repeats,
		"roff":      roff,
		"takers":    takers,
		"value":     value,
		"zsh":       zshSpecial.Replace,
	}
	var filled strings.Builder
	text := contents(t, "testdata/"+name+".tmpl")
	if err := template.Must(template.New(name).Funcs(functions).Parse(text)).Execute(&filled, facts); err != nil {
		t.Fatal(err)
	}
	return filled.String()
}

// What has a meaning in a table's cell, between single quotes in a specification of zsh's _arguments, and between
// those of fish.
var (
	cell        = strings.NewReplacer("|", `\|`)
	zshSpecial  = strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`, `\`, `\\`, "'", `'\''`)
	fishSpecial = strings.NewReplacer(`\`, `\\`, "'", `\'`)
)

// roff makes text for a line of its own: no character has a meaning, and - is the one that a shell takes.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// value is what a flag takes, in the usage: "" for a switch.
func value(flag *kong.Flag) string {
	if flag.IsBool() {
		return ""
	}
	return flag.FormatPlaceHolder()
}

// choices are all values of a flag, where they can be counted.
func choices(flag *kong.Flag) []string {
	if flag.Enum != "" {
		return flag.EnumSlice()
	}
	if _, ok := flag.Target.Interface().(Preset); ok {
		return presetNames()
	}
	return nil
}

// repeats reports whether every value of a flag counts, not the last alone.
func repeats(flag *kong.Flag) bool { return flag.Target.Kind() == reflect.Slice }

// otherwise is the default of a flag, where it has one.
func otherwise(flag *kong.Flag) string {
	_, isDuration := flag.Target.Interface().(time.Duration)
	if !flag.HasDefault && len(flag.Envs) > 0 && (isDuration || flag.IsBool()) {
		return "off"
	}
	return flag.Default
}

// takers are the flags that take a value, which is the next word.
func takers(flags []*kong.Flag, separator string) string {
	var names []string
	for _, flag := range flags {
		if value(flag) != "" {
			names = append(names, "--"+flag.Name)
		}
	}
	return strings.Join(names, separator)
}
