//go:build linux

package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// rival is a way to start an app, with or without a wait.
type rival struct {
	name string
	// words are the command line, env its variables. {url} and {address} stand for
	// the sidecar's, {health} for the URL that the kubelet asks. The word {command}
	// stands for the app's words, {sidecar} for the flags of envoy-wait.
	words, env []string
	ours       bool     // a build of envoy-wait
	needs      []string // programs, besides the first word
	only       state    // the only phase that it is for
}

// asksHealth reports whether the program asks the URL that the kubelet asks.
func (r rival) asksHealth() bool { return strings.Contains(strings.Join(r.words, " "), "{health}") }

// pairs are the phases with the rivals that they are for.
func pairs(rivals []rival) iter.Seq2[state, rival] {
	return func(yield func(state, rival) bool) {
		for _, phase := range phases {
			for _, r := range rivals {
				if (r.only == "" || r.only == phase) && !yield(phase, r) {
					return
				}
			}
		}
	}
}

const (
	nameOwn              = "envoy-wait"
	nameBaseline         = "envoy-wait, baseline"
	nameUngated          = "envoy-wait --url"
	nameDisabled         = "envoy-wait --disabled"
	nameDisabledBaseline = "envoy-wait --disabled, baseline"
	nameShell            = "shell loop"
	nameScuttle          = "scuttle"
	nameDockerize        = "dockerize"
	nameAgent            = "pilot-agent wait"
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
			words: []string{binary, "{sidecar}", "--timeout", "15m", "--", "{command}"}})
		starters = append(starters, rival{name: nameDisabled, ours: true,
			words: []string{binary, "--disabled", "--", "{command}"}})
	}
	add(nameOwn, nameDisabled, o.binary)
	if o.baseline != "" {
		add(nameBaseline, nameDisabledBaseline, o.baseline)
	}
	waiters = append(waiters, rival{name: nameUngated, ours: true, only: gated,
		words: []string{o.binary, "--url", "{url}", "--timeout", "15m", "--", "{command}"}})
	waiters = append(waiters, rival{name: nameShell, needs: []string{"curl"}, words: []string{
		"sh", "-c", `until curl -fsS -o /dev/null {url}; do sleep 1; done; exec "$@"`, "sh", "{command}",
	}})
	waiters = append(waiters,
		parseRival(nameScuttle, "ENVOY_ADMIN_API=http://{address} NEVER_KILL_ISTIO=true SCUTTLE_LOGGING=false scuttle {command}"), // or it ends with a line of its own
		parseRival("wait4x", "wait4x http {url} --expect-status-code 200 --timeout 15m -- {command}"),
		parseRival(nameDockerize, "dockerize -wait {url} -timeout 15m {command}"),
		parseRival(nameAgent, "pilot-agent wait --url {health} --timeoutSeconds 900"))
	waiters = append(waiters, o.others...)
	atOnce := slices.DeleteFunc(slices.Clone(waiters), func(r rival) bool { return r.only != "" })
	return waiters, append(starters, atOnce...)
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

// command returns the command line with sidecar and app, behind the words of before. The
// end of ctx kills the process group.
func (r rival) command(ctx context.Context, s *standIn, app []string, before ...string) *exec.Cmd {
	health := s.URL()
	if s.gate != nil {
		health = s.gate.URL()
	}
	replacer := strings.NewReplacer("{url}", s.URL(), "{address}", s.Address, "{health}", health)
	words := before
	for _, word := range r.words {
		switch {
		case word == "{command}":
			words = append(words, app...)
		case word == "{sidecar}" && s.phase == gated: // Istio's ports are the default
		case word == "{sidecar}":
			words = append(words, "--url", s.URL())
		default:
			words = append(words, replacer.Replace(word))
		}
	}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH")}, each(r.env, replacer.Replace)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// built names the source of a program, if it is a Go program that knows it.
func (r rival) built() string {
	path, err := exec.LookPath(slices.Concat(r.needs, r.words)[0])
	if err != nil || r.ours {
		return ""
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil || info.Main.Version == "" {
		return ""
	}
	return fmt.Sprintf("%q is %s %s.\n\n", r.name, info.Main.Path, info.Main.Version)
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
			note = rival.built()
		}
		if !strings.Contains(r.results.String(), note) {
			r.print(note)
		}
	}
	return there
}

// copyAll lets the rivals run copies of their programs. A linker writes a file in pieces, and the kernel caches it in
// single pages: it starts up to a fifth slower. The files of an image or a package are written from end to end.
func (b *bench) copyAll(rivals []rival) error {
	for i, r := range rivals {
		path, err := exec.LookPath(r.words[0])
		if err != nil || r.words[0] == "sh" {
			continue
		}
		if b.copies[path] == "" {
			if b.copies[path], err = copyInto(b.dir, path); err != nil {
				return err
			}
		}
		rivals[i].words = append([]string{b.copies[path]}, r.words[1:]...)
	}
	return nil
}

func copyInto(dir, path string) (string, error) {
	program, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp(dir, "copy"); err != nil {
		return "", err
	}
	path = filepath.Join(dir, filepath.Base(path))
	return path, os.WriteFile(path, program, 0o755) //nolint:gosec // a program
}

// size is the size of the program's file, or the names of the programs where a shell runs another.
func (r rival) size() string {
	if r.words[0] == "sh" {
		return strings.Join(append(r.words[:1:1], r.needs...), ", ")
	}
	path, err := exec.LookPath(r.words[0])
	if err != nil {
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
