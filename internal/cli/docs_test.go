package cli

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"
)

// The man page and the completions are made here, in a test, so that they are
// part of neither the binary nor its build.
var update = flag.Bool("update", false, "write the files in docs and the README's usage block instead of comparing them")

// TestDocs: what people read about the flags says what the flags are.
func TestDocs(t *testing.T) {
	facts := documented(t)
	for path, text := range map[string]string{
		"../../docs/envoy-wait.1":               manPage,
		"../../docs/completion/envoy-wait.bash": bashCompletion,
		"../../docs/completion/_envoy-wait":     zshCompletion,
		"../../docs/completion/envoy-wait.fish": fishCompletion,
	} {
		sameFile(t, path, fill(t, text, facts))
	}
	readme := contents(t, "../../README.md")
	block := usageBlock.FindStringSubmatchIndex(readme)
	if block == nil {
		t.Fatal("README.md has no usage block")
	}
	sameFile(t, "../../README.md", readme[:block[2]]+makeHelp()+readme[block[3]:])
}

var usageBlock = regexp.MustCompile("(?s)```text\n(Usage: .*?)```\n")

func sameFile(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
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
	Flags   []docFlag
	Proxies []docProxy
	Exits   []docExit
}

type docFlag struct {
	Name, Placeholder, Help, Default string
	Variable                         string   // "" where it has none
	Values                           []string // all that it takes, or nil where that is open
	Takes                            bool     // it takes a value
	Path                             bool     // which is the path of a file
	Repeats                          bool
}

type docProxy struct{ Name, Ready, Status, Quit string }

type docExit struct{ Code, When string }

func documented(t *testing.T) facts {
	t.Helper()
	var all facts
	for _, flag := range Flags() {
		all.Flags = append(all.Flags, docFlag{
			Name: flag.Name, Placeholder: flag.Placeholder, Help: flag.Help, Default: flag.Default, Variable: flag.Variable,
			Values: flag.Values, Takes: flag.Placeholder != "", Path: flag.Placeholder == "PATH", Repeats: flag.Repeats,
		})
	}
	for _, p := range presets {
		all.Proxies = append(all.Proxies, docProxy{p.name, p.ready, p.status, p.quit})
	}
	all.Exits = exitStatuses(t)
	return all
}

// exitStatuses reads the constants exit… of main.go and the comments on them.
func exitStatuses(t *testing.T) []docExit {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../../main.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var exits []docExit
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(spec.Names[0].Name, "exit") {
			return true
		}
		code := spec.Values[0].(*ast.BasicLit).Value
		if spec.Names[0].Name == "exitSignal" {
			code += "+n"
		}
		exits = append(exits, docExit{code, strings.TrimPrefix(strings.TrimSpace(spec.Comment.Text()), "plus ")})
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
		"roff":   roff,
		"zsh":    zshSpecial.Replace,
		"fish":   fishSpecial.Replace,
		"join":   strings.Join,
		"takers": takers,
	}
	var filled strings.Builder
	if err := template.Must(template.New("").Funcs(functions).Parse(text)).Execute(&filled, facts); err != nil {
		t.Fatal(err)
	}
	return filled.String()
}

// What has a meaning between single quotes: in a specification of zsh's
// _arguments, and to fish.
var (
	zshSpecial  = strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`, `\`, `\\`, "'", `'\''`)
	fishSpecial = strings.NewReplacer(`\`, `\\`, "'", `\'`)
)

// takers are the flags that take a value, which is the next word.
func takers(flags []docFlag, separator string) string {
	var names []string
	for _, flag := range flags {
		if flag.Takes {
			names = append(names, "--"+flag.Name)
		}
	}
	return strings.Join(names, separator)
}
