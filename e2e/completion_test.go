//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// completionCases are lines with the cursor at their end, and the words that each shell completes there. The command
// frobnicate takes --toggle, one and two; subject is a file.
func completionCases(t *testing.T) map[string]string {
	t.Helper()
	var flags []string
	for _, line := range regexp.MustCompile(`(?m)^ {2,6}(?:-h, )?(--[a-z-]+)`).FindAllStringSubmatch(run(t, "--help").Stdout, -1) {
		flags = append(flags, line[1])
	}
	slices.Sort(flags)
	return map[string]string{
		"envoy-wait --":                                           strings.Join(flags, " "),
		"envoy-wait --on-t":                                       "--on-timeout",
		"envoy-wait --on-timeout ":                                "fail start",
		"envoy-wait --disabled --on-timeout s":                    "start",
		"envoy-wait --log-level=":                                 "debug error info warn",
		"envoy-wait --sidecar=cl":                                 "cloud-sql-proxy",
		"envoy-wait --timeout ":                                   "",
		"envoy-wait --url ":                                       "",
		"envoy-wait --install sub":                                "subject",
		"envoy-wait --install=sub":                                "subject",
		"envoy-wait frobn":                                        "frobnicate",
		"envoy-wait -- frobn":                                     "frobnicate",
		"envoy-wait --timeout=5s --sidecar istio -- frobn":        "frobnicate",
		"envoy-wait frobnicate o":                                 "one",
		"envoy-wait frobnicate --t":                               "--toggle",
		"envoy-wait -- frobnicate one --t":                        "--toggle",
		"envoy-wait --url http://h:1/a=b --disabled frobnicate t": "two",
		"envoy-wait --url=http://h:1/a=b --timeout 5s -- frobnicate one t": "two",
	}
}

func TestBashCompletion(t *testing.T) {
	harness.NeedTools(t, "bash")
	const library = "/usr/share/bash-completion/bash_completion"
	_, err := os.Stat(library)
	harness.Need(t, err == nil, "needs bash-completion")
	testShell(t, `. `+library+`
. "$COMPLETION/envoy-wait.bash"
complete -W '--toggle one two' frobnicate
bind 'set enable-bracketed-paste off'
bind '"\C-xa": insert-completions'
bind -x '"\C-xp": printf "%s\n" "$READLINE_LINE" >>"$LINES_OUT"'
PS1='ready> '
`, func(rc string) *exec.Cmd { return exec.Command("bash", "--noprofile", "--rcfile", rc, "-i") })
}

func TestZshCompletion(t *testing.T) {
	harness.NeedTools(t, "zsh")
	testShell(t, `fpath=("$COMPLETION" $fpath)
autoload -Uz compinit && compinit -u -D
_frobnicate() { _arguments '--toggle[]' '*:word:(one two)' }
compdef _frobnicate frobnicate
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
print-line() { print -r -- "$BUFFER" >>"$LINES_OUT" }
zle -N print-line
bindkey -e
bindkey '^Xa' all-matches
bindkey '^Xp' print-line
PS1='ready> '
`, func(rc string) *exec.Cmd {
		cmd := exec.Command("zsh", "-d", "-i")
		cmd.Env = []string{"ZDOTDIR=" + filepath.Dir(rc)}
		return cmd
	})
}

// testShell types each line at an interactive shell on a terminal, then ^Xa, which
// inserts all matches, and ^Xp, which writes the line to a file.
func testShell(t *testing.T, rc string, shell func(rc string) *exec.Cmd) {
	dir := completionDir(t)
	out := filepath.Join(t.TempDir(), "lines")
	file := filepath.Join(t.TempDir(), ".zshrc")
	harness.WriteFile(t, file, rc, 0o644)
	cmd := shell(file)
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, completionEnv(dir, "LINES_OUT="+out)...)
	p, terminal := withTerminal(t, cmd, 80)
	p.Await("ready> ")
	typed := 0
	for line, want := range completionCases(t) {
		const killLine = "\x15"
		if _, err := terminal.WriteString(killLine + line + "\x18a\x18p"); err != nil {
			t.Fatal(err)
		}
		typed++
		var lines []string
		harness.Until(t, "a completed line for "+line, func() bool {
			content, _ := os.ReadFile(out)
			lines = strings.Split(string(content), "\n")
			return len(lines) > typed
		}, p.Stdout)
		completed(t, line, strings.Fields(strings.TrimPrefix(lines[typed-1], line[:strings.LastIndex(line, " ")])), want)
	}
}

func TestFishCompletion(t *testing.T) {
	harness.NeedTools(t, "fish")
	dir := completionDir(t)
	for line, want := range completionCases(t) {
		cmd := exec.Command("fish", "--no-config", "-c", `
source $COMPLETION/envoy-wait.fish
complete -c frobnicate -f -a 'one two'
complete -c frobnicate -l toggle
complete -C $argv[1]`, line)
		cmd.Dir, cmd.Env = dir, completionEnv(dir)
		r := harness.Start(t, cmd).Result().WantCode(t, 0)
		harness.Want(t, "stderr of "+line, r.Stderr, "")
		var got []string
		for match := range strings.Lines(r.Stdout) {
			word, _, _ := strings.Cut(strings.TrimSpace(match), "\t")
			got = append(got, word)
		}
		completed(t, line, got, want)
	}
}

// completed compares matches. A shell may put the flag and its = before a match, and a = behind it.
func completed(t *testing.T, line string, got []string, want string) {
	t.Helper()
	word := line[strings.LastIndex(line, " ")+1:]
	for i, match := range got {
		if flag, _, ok := strings.Cut(word, "="); ok {
			match = strings.TrimPrefix(match, flag+"=")
		}
		got[i] = strings.TrimSuffix(match, "=")
	}
	if len(got) == 1 && got[0] == word {
		got = nil // nothing was completed
	}
	slices.Sort(got)
	got = slices.Compact(got) // fish leaves that to its pager
	if strings.Join(got, " ") != want {
		t.Errorf("%s\ngot  %q\nwant %s", line, got, want)
	}
}

// completionDir has the file subject, and bin/frobnicate and bin/envoy-wait.
func completionDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"subject": "", "bin/frobnicate": "#!/bin/sh\n", "bin/envoy-wait": "#!/bin/sh\n"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		harness.WriteFile(t, path, content, 0o755)
	}
	return dir
}

func completionEnv(dir string, more ...string) []string {
	return append([]string{
		"PATH=" + filepath.Join(dir, "bin") + ":" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "LC_ALL=C",
		"COMPLETION=" + filepath.Join(harness.Root(), "docs", "completion"),
	}, more...)
}
