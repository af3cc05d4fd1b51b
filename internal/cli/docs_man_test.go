package cli

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// manPrograms are those that show man pages, each as it checks and as it renders.
var manPrograms = map[string]struct{ check, render string }{
	"mandoc": {
		"mandoc -T lint -W style ../../docs/envoy-wait.1",
		"mandoc -T ascii -O width=200 ../../docs/envoy-wait.1",
	},
	"man": {
		"man --warnings -E UTF-8 -Tutf8 -Z -l ../../docs/envoy-wait.1 >/dev/null",
		"MANWIDTH=200 MANROFFOPT=-c man -E ascii -l ../../docs/envoy-wait.1",
	},
}

func needManProgram(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("must not be skipped in CI: ", err)
		}
		t.Skip(err)
	}
}

// TestManPageIsClean checks that those programs find nothing wrong with it.
func TestManPageIsClean(t *testing.T) {
	for name, program := range manPrograms {
		t.Run(name, func(t *testing.T) {
			needManProgram(t, name)
			out, err := exec.Command("sh", "-c", program.check).CombinedOutput()
			for finding := range strings.Lines(string(out)) {
				// Which other pages are installed here says nothing of this one.
				if !strings.Contains(finding, "referenced manual not found") && !strings.Contains(finding, "outdated mandoc.db") {
					t.Error(strings.TrimSpace(finding))
				}
			}
			if err != nil && len(out) == 0 {
				t.Error(err)
			}
		})
	}
}

// TestManPageShows reads the page as people see it: a macro may swallow quotes, or
// take words for flags.
func TestManPageShows(t *testing.T) {
	want := []string{
		`ENTRYPOINT ["envoy-wait", "--", "app"]`,
		`envoy-wait --timeout 60s || exit 1`,
		`envoy-wait --sidecar dapr --url tcp://127.0.0.1:5432 --on-timeout fail -- app`,
		`envoy-wait [flags] [--] [command [argument ...]]`,
		`--on-timeout start|fail`,
		`is for --url, with commas between several values`,
		`forwards every signal to the command, except for KILL and STOP`,
	}
	for _, flag := range model(t) {
		want = append(want, strings.TrimSpace("--"+flag.Name+" "+value(flag)), flag.Help+".")
		want = append(want, flag.Envs...)
	}
	for _, p := range Presets {
		want = append(want, p.Note, fmt.Sprintf("ready: %s is %d", p.Ready, p.Status), p.Quit)
	}
	for _, exit := range exitStatuses(t) {
		want = append(want, exit.Code, exit.When)
	}
	for name, program := range manPrograms {
		t.Run(name, func(t *testing.T) {
			needManProgram(t, name)
			out, err := exec.Command("sh", "-c", program.render).Output()
			if err != nil {
				t.Fatal(err)
			}
			page := overstrike.ReplaceAllString(string(out), "")
			words := strings.Join(strings.Fields(page), " ")
			for _, text := range want {
				if !strings.Contains(words, strings.Join(strings.Fields(text), " ")) {
					t.Errorf("got a page without it, want %q", text)
				}
			}
			if dashes := strayFlags.FindString(words); dashes != "" {
				t.Errorf("got %q, want no word to be taken for a flag", dashes)
			}
		})
	}
}

var (
	overstrike = regexp.MustCompile(".\b") // a terminal's bold and underlined
	strayFlags = regexp.MustCompile(` -[a-z]{2,} -[a-z]{2,}`)
)
