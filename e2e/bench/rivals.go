//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"

	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// rival is one way to start an app, perhaps after a wait.
type rival struct {
	name string
	// words are the command line, env its variables. {url} and {address} in them
	// stand for the sidecar's; the word {command} stands for the app's words.
	words []string
	env   []string
	// ours is set for builds of envoy-wait.
	ours bool
	// needs are the programs that must be installed, besides the first word.
	needs []string
}

const (
	nameOwn      = "envoy-wait"
	nameBaseline = "envoy-wait, baseline"
	nameShell    = "shell loop"
	nameDirect   = "direct start"
	nameGo       = "Go program that execs"
	nameDisabled = "envoy-wait --disabled"
)

// rivals are those that wait, and those whose start-up is measured.
func (b *bench) rivals(o *options) (waiters, starters []rival) {
	wait := func(name, binary string) rival {
		return rival{name: name, ours: true, words: []string{binary, "--url", "{url}", "--timeout", "15m", "--", "{command}"}}
	}
	waiters = append(waiters, wait(nameOwn, o.binary))
	if o.baseline != "" {
		waiters = append(waiters, wait(nameBaseline, o.baseline))
	}
	waiters = append(waiters, rival{name: nameShell, needs: []string{"curl"}, words: []string{
		"sh", "-c", `until curl -fsS -o /dev/null {url}; do sleep 1; done; exec "$@"`, "sh", "{command}",
	}})
	waiters = append(waiters, o.others...)

	starters = []rival{
		{name: nameDirect, words: []string{"{command}"}},
		{name: nameGo, words: []string{b.helper("execs"), "{command}"}},
		{name: "tini", words: []string{"tini", "-s", "--", "{command}"}},
		{name: "dumb-init", words: []string{"dumb-init", "--", "{command}"}},
		{name: "catatonit", words: []string{"catatonit", "--", "{command}"}},
		{name: nameDisabled, ours: true, words: []string{o.binary, "--disabled", "--", "{command}"}},
	}
	if o.baseline != "" {
		starters = append(starters, rival{name: nameDisabled + ", baseline", ours: true,
			words: []string{o.baseline, "--disabled", "--", "{command}"}})
	}
	return waiters, append(starters, waiters...)
}

// parseRival makes a rival of words separated by spaces. The first of them may
// be variables, NAME=VALUE. A program without {command} only waits, so a shell
// starts the app when it has succeeded, as in an image that uses it.
func parseRival(name, text string) rival {
	r := rival{name: name, words: strings.Fields(text)}
	for len(r.words) > 1 && strings.Contains(r.words[0], "=") {
		r.env = append(r.env, r.words[0])
		r.words = r.words[1:]
	}
	if !slices.Contains(r.words, "{command}") {
		r.needs = r.words[:1]
		r.words = []string{"sh", "-c", strings.Join(r.words, " ") + ` && exec "$@"`, "sh", "{command}"}
	}
	return r
}

// command puts the sidecar and the app into the words, after those of before. It
// has an environment that is the same everywhere, and dies with all it has
// started.
func (r rival) command(ctx context.Context, address string, app []string, before ...string) *exec.Cmd {
	replacer := strings.NewReplacer("{url}", "http://"+address+sidecar.Path, "{address}", address)
	words := before
	for _, word := range r.words {
		if word == "{command}" {
			words = append(words, app...)
		} else {
			words = append(words, replacer.Replace(word))
		}
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, each(r.env, replacer.Replace)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// installed leaves out the rivals that are not there, and says so.
func (r *results) installed(rivals []rival) (there []rival) {
	for _, rival := range rivals {
		missing := ""
		for _, name := range append(rival.needs, rival.words[0]) {
			if _, err := exec.LookPath(name); err != nil && name != "{command}" {
				missing = name
			}
		}
		switch note := fmt.Sprintf("Left out, since it is not installed: %s (%s).", rival.name, missing); {
		case missing == "":
			there = append(there, rival)
		case !slices.Contains(r.Notes, note):
			r.say("%s", note)
		}
	}
	return there
}

// size is that of the file that does it, or 0 if that is more than one.
func (r rival) size() int64 {
	path, err := exec.LookPath(r.words[0])
	if err != nil || r.words[0] == "sh" {
		return 0
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func own(rivals []rival) []rival {
	return slices.DeleteFunc(slices.Clone(rivals), func(r rival) bool { return !r.ours })
}
