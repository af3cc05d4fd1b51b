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

// rival is a way to start an app, with or without a wait.
type rival struct {
	name string
	// words are the command line, env its variables. {url} and {address} stand for
	// the sidecar's, the word {command} for the app's words.
	words, env []string
	ours       bool     // a build of envoy-wait
	needs      []string // programs, besides the first word
}

const (
	nameOwn              = "envoy-wait"
	nameBaseline         = "envoy-wait, baseline"
	nameDisabled         = "envoy-wait --disabled"
	nameDisabledBaseline = "envoy-wait --disabled, baseline"
	nameDirect           = "direct start"
	nameGo               = "Go program that execs"
)

// rivals are the programs that wait, and those whose start-up is measured.
func (b *bench) rivals(o *options) (waiters, starters []rival) {
	starters = []rival{
		{name: nameDirect, words: []string{"{command}"}},
		{name: nameGo, words: []string{b.helper("execs"), "{command}"}},
		{name: "tini", words: []string{"tini", "-s", "--", "{command}"}},
		{name: "dumb-init", words: []string{"dumb-init", "--", "{command}"}},
		{name: "catatonit", words: []string{"catatonit", "--", "{command}"}},
	}
	add := func(name, nameDisabled, binary string) {
		waiters = append(waiters, rival{name: name, ours: true,
			words: []string{binary, "--url", "{url}", "--timeout", "15m", "--", "{command}"}})
		starters = append(starters, rival{name: nameDisabled, ours: true,
			words: []string{binary, "--disabled", "--", "{command}"}})
	}
	add(nameOwn, nameDisabled, o.binary)
	if o.baseline != "" {
		add(nameBaseline, nameDisabledBaseline, o.baseline)
	}
	waiters = append(waiters, rival{name: "shell loop", needs: []string{"curl"}, words: []string{
		"sh", "-c", `until curl -fsS -o /dev/null {url}; do sleep 1; done; exec "$@"`, "sh", "{command}",
	}})
	waiters = append(waiters, o.others...)
	return waiters, append(starters, waiters...)
}

// parseRival makes a rival of words separated by spaces. Variables, NAME=VALUE, may
// come first. A program without {command} only waits: a shell starts the app after
// it.
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

// command puts the sidecar and the app into the words, after those of before. The
// environment is the same for all. The end of ctx kills the process group.
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

// installed leaves out the programs that are not there, and says so.
func (r *report) installed(rivals []rival) (there []rival) {
	for _, rival := range rivals {
		note := ""
		for _, name := range append(rival.needs, rival.words[0]) {
			if _, err := exec.LookPath(name); err != nil && name != "{command}" {
				note = fmt.Sprintf("Left out, since it is not installed: %s (%s).\n\n", rival.name, name)
			}
		}
		if note == "" {
			there = append(there, rival)
		} else if !strings.Contains(r.page.String(), note) {
			r.print(note)
		}
	}
	return there
}

// size is that of the program's file, or empty if it is more than one file.
func (r rival) size() string {
	path, err := exec.LookPath(r.words[0])
	if err != nil || r.words[0] == "sh" {
		return ""
	}
	info, err := os.Stat(path)
	if err != nil {
		return ""
	}
	return megabytes(info.Size())
}

func own(rivals []rival) []rival {
	return slices.DeleteFunc(slices.Clone(rivals), func(r rival) bool { return !r.ours })
}
