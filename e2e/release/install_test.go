//go:build linux

package release

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/machine"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// debian is a machine with a file system like this machine's, and changes of its own.
type debian struct {
	*machine.Machine
	root    string
	changes string // the folder with all that was written
}

func newDebian(t *testing.T) *debian {
	t.Helper()
	m := machine.New(t)
	dir := t.TempDir()
	m.Must("sh", "-ec", `
		mount -t tmpfs tmpfs "$1" && cd "$1" && mkdir root changes work
		mount -t overlay overlay -o lowerdir=/,upperdir=changes,workdir=work root
		mount -t proc proc root/proc && mount --rbind /dev root/dev
		mount -t tmpfs tmpfs root/run && mount -t tmpfs tmpfs root/tmp
		rm -f root/etc/dpkg/dpkg.cfg.d/* # slim images leave out man pages`, "sh", dir)
	return &debian{Machine: m, root: filepath.Join(dir, "root"), changes: filepath.Join(dir, "changes")}
}

// do runs a line of shell in it.
func (d *debian) do(script string) string {
	d.T.Helper()
	return d.Must("chroot", d.root, "sh", "-ec", script)
}

// put copies files into its /tmp.
func (d *debian) put(paths ...string) {
	d.T.Helper()
	d.Must("cp", append(paths, d.root+"/tmp/")...)
}

// installBlock returns the README's lines for binary and package, and its line for Go, for this machine.
func installBlock(t *testing.T) (debian, goLine string) {
	t.Helper()
	blocks := slices.DeleteFunc(markdown.In(source(t, "README.md"), "sh"), func(text string) bool { return !strings.HasPrefix(text, "url=") })
	if len(blocks) != 1 {
		t.Fatalf("got %d blocks, want 1", len(blocks))
	}
	debian, goLine, ok := strings.Cut(strings.ReplaceAll(blocks[0], "amd64", runtime.GOARCH), "# or Go:")
	_, goLine, found := strings.Cut(goLine, "\n")
	if !ok || !found {
		t.Fatalf("got %s\nwant a line # or Go:, and one after it", blocks[0])
	}
	return debian, goLine
}

// The README's lines for the binary and for the package run on a Debian where curl
// brings the files of this release. Then the package works, and can be removed.
func TestInstallOnDebian(t *testing.T) {
	dir := files(t)
	harness.NeedTools(t, "curl", "man", "bash", "zsh", "fish")
	d := newDebian(t)
	name := platform{arch: runtime.GOARCH, os: "linux"}.file()
	d.put(filepath.Join(dir, "SHA256SUMS"), filepath.Join(dir, name), filepath.Join(dir, "envoy-wait_"+harness.Version()+"_"+runtime.GOARCH+".deb"))
	d.MustRead(`#!/bin/sh
		# takes the files of this release from /tmp
		for word; do case $word in
			https://github.com/envoy-wait/envoy-wait/releases/download/v`+harness.Version()+`/*) cp "/tmp/${word##*/}" . ;;
			-*) ;;
			*) exit 22 ;;
		esac; done
	`, "sh", "-ec", `cat >"$1/usr/local/bin/curl" && chmod +x "$1/usr/local/bin/curl"`, "sh", d.root)
	script, _ := installBlock(t)
	d.do("cd $(mktemp -d)\n" + script)
	harness.Want(t, "version of the binary", d.do("/usr/local/bin/envoy-wait --version"), "envoy-wait "+harness.Version()+"\n")
	d.do("rm /usr/local/bin/envoy-wait /usr/local/bin/curl")

	harness.Want(t, "version of the package", d.do("envoy-wait --version"), "envoy-wait "+harness.Version()+"\n")
	harness.WantIn(t, d.do("man envoy-wait | cat"), "wait until the Envoy sidecar is ready", "EXIT STATUS", "--timeout")
	harness.WantIn(t, d.do(`bash -c '. /usr/share/bash-completion/bash_completion; _completion_loader envoy-wait; complete -p envoy-wait'`), "-F ")
	harness.WantIn(t, d.do(`zsh -fc 'autoload -U compinit; compinit -u -d /tmp/zcompdump; print $_comps[envoy-wait]'`), "_envoy-wait")
	harness.WantIn(t, d.do(`HOME=/tmp fish -c 'complete -C "envoy-wait --tim"'`), "--timeout")
	d.daemonWaits()

	d.do("dpkg -r envoy-wait && rm /etc/init.d/shop /usr/local/bin/shop /var/log/shop.log")
	d.do(`test -z "$(dpkg-query -W -f '${Status}' envoy-wait 2>/dev/null)"`)
	// A file of type c is no file: it hides one of this machine's own.
	if left := d.Must("find", d.changes, "-name", "*envoy[-_]wait*", "-not", "-type", "c", "-not", "-path", "*/var/cache/man/*"); left != "" {
		t.Errorf("got files after dpkg -r, want none:\n%s", left)
	}
}

// daemonWaits starts a daemon by the init script that the package brings.
func (d *debian) daemonWaits() {
	d.T.Helper()
	d.put(harness.ExampleApp(d.T))
	d.do("install /tmp/example-app /usr/local/bin/shop && install /usr/share/doc/envoy-wait/examples/shop /etc/init.d/")

	const started = "cat /var/log/shop.log 2>/dev/null || true"
	waiting := d.Start(d.Command("chroot", d.root, "sh", "-c", "ENVOY_WAIT_LOG_LEVEL=debug /etc/init.d/shop start"))
	waiting.Await("connection refused")
	s := d.StartSidecar()
	s.Listen()
	waiting.Await("status 503")
	harness.Want(d.T, "log of the daemon during the wait", d.do(started), "")
	s.BecomeReady()
	waiting.Result().WantCode(d.T, 0)
	harness.WantIn(d.T, d.do(started), "app: started as PID ")
	d.do("/etc/init.d/shop stop")
}

// The README's line for Go, from a module proxy that has this release.
func TestGoInstall(t *testing.T) {
	dir := files(t)
	_, line := installBlock(t)
	proxy := t.TempDir()
	of := filepath.Join(proxy, "github.com/envoy-wait/envoy-wait/@v")
	if err := os.MkdirAll(of, 0o755); err != nil {
		t.Fatal(err)
	}
	v := "v" + harness.Version()
	harness.WriteFile(t, filepath.Join(of, "list"), v+"\n", 0o644)
	harness.WriteFile(t, filepath.Join(of, v+".info"), `{"Version":"`+v+`"}`, 0o644)
	harness.WriteFile(t, filepath.Join(of, v+".mod"), source(t, "go.mod"), 0o644)
	archive := exec.Command("git", "archive", "--format=zip", "--prefix=github.com/envoy-wait/envoy-wait@"+v+"/", "-o", filepath.Join(of, v+".zip"), "HEAD", ".")
	archive.Args = append(archive.Args, nestedModules(t)...)
	archive.Dir = filepath.Join(scratch, "first")
	harness.Start(t, archive).Result().WantCode(t, 0)

	bin := t.TempDir()
	cmd := exec.Command("sh", "-ec", line)
	cmd.Dir = t.TempDir()
	cmd.Env = harness.Env("GOBIN="+bin, "GOPROXY=file://"+proxy+",file://"+strings.TrimSpace(harness.Must(t, "go", "env", "GOMODCACHE"))+"/cache/download",
		"GOMODCACHE="+t.TempDir(), "GOFLAGS=-modcacherw", "GOSUMDB=off")
	harness.Start(t, cmd).Result().WantCode(t, 0)
	harness.Want(t, "version", harness.Must(t, filepath.Join(bin, "envoy-wait"), "--version"), "envoy-wait "+harness.Version()+"\n")
	harness.WantStatic(t, filepath.Join(bin, "envoy-wait"))
	got := len(harness.ReadFile(t, filepath.Join(bin, "envoy-wait")))
	released := len(harness.ReadFile(t, filepath.Join(dir, platform{os: "linux", arch: runtime.GOARCH}.file())))
	if got > released*102/100 {
		t.Errorf("got %d bytes, want at most 2 %% more than the release, %d", got, released)
	}
}

// nestedModules are patterns with which git leaves out modules of their own.
func nestedModules(t *testing.T) (patterns []string) {
	t.Helper()
	root := filepath.Join(scratch, "first")
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if dir := filepath.Dir(path); filepath.Base(path) == "go.mod" && dir != root {
			patterns = append(patterns, ":!"+strings.TrimPrefix(dir, root+"/"))
		}
		return err
	})
	if err != nil || len(patterns) == 0 {
		t.Fatalf("got the modules %q, %v, want some", patterns, err)
	}
	return patterns
}

// The workflow of a release takes its notes from the changelog, where the day of the tag must stand.
func TestReleaseNotes(t *testing.T) {
	dir := t.TempDir()
	notes := func(version, date string) harness.Result {
		heading := regexp.MustCompile(`(?m)^(## \[` + regexp.QuoteMeta(harness.Version()) + `\] - ).*$`)
		harness.WriteFile(t, filepath.Join(dir, "CHANGELOG.md"), heading.ReplaceAllString(harness.Source(t, "CHANGELOG.md"), "${1}"+date), 0o644)
		return harness.Run(t, "make", "-s", "-C", dir, "-f", filepath.Join(harness.Root(), "Makefile"), "release-notes", "VERSION=v"+version)
	}
	dated := notes(harness.Version(), "2026-12-01").WantCode(t, 0).Stdout
	harness.WantIn(t, dated, "### Added\n")
	harness.WantNotIn(t, dated, "## [", "]: https:")
	for version, date := range map[string]string{"999.0.0": "2026-12-01", harness.Version(): "Unreleased"} {
		r := notes(version, date).WantCode(t, 2)
		harness.WantIn(t, r.Stderr, "CHANGELOG.md has no section "+version+" with the date of the tag")
	}
}

// make pin writes the digests of a registry behind the name of each base. A second run
// changes nothing.
func TestPin(t *testing.T) {
	crane := tool(t, "crane")
	registry := harness.Start(t, exec.Command(crane, "registry", "serve", "--address", "127.0.0.1:0"))
	registry.Await("serving on port ")
	address := "127.0.0.1:" + regexp.MustCompile(`serving on port (\d+)`).FindStringSubmatch(registry.Stdout() + registry.Stderr())[1]

	// The Dockerfiles and workflows, with the bases of this registry.
	dir := harness.CopySources(t)
	harness.Must(t, "sh", "-ec", `cd "$1" && cp -r --parents Dockerfile Dockerfile.distroless .github "$2" && cd "$2" &&
		sed -i -E "s,docker.io/library|gcr.io/distroless,$3," Dockerfile* .github/workflows/*`, "sh", harness.Root(), dir, address)
	layer := filepath.Join(dir, "layer.tar")
	harness.Must(t, "tar", "-cf", layer, "-C", dir, "go.mod")
	for _, base := range []string{"golang:1.26.8-bookworm", "static-debian12:nonroot"} {
		harness.Must(t, crane, "append", "--new_layer", layer, "--new_tag", address+"/"+base)
	}

	pin := func() string {
		return harness.Must(t, "make", "-s", "-C", dir, "pin", "TOOLS="+filepath.Dir(crane))
	}
	pinned := pin()
	for path, base := range map[string]string{
		"Dockerfile": "golang:1.26.8-bookworm", ".github/workflows/ci.yml": "golang:1.26.8-bookworm", "Dockerfile.distroless": "static-debian12:nonroot",
	} {
		want := regexp.MustCompile(regexp.QuoteMeta(address+"/"+base) + "@sha256:[0-9a-f]{64}").FindString(pinned)
		text := harness.ReadFile(t, filepath.Join(dir, path))
		if want == "" || strings.Count(text, want) != strings.Count(text, base) || strings.Count(text, base) == 0 {
			t.Errorf("%s: got %s\nwant %q at each base; make pin says %s", path, text, want, pinned)
		}
	}
	before := harness.ReadFile(t, filepath.Join(dir, "Dockerfile"))
	harness.Want(t, "what a second run says", pin(), pinned)
	harness.Want(t, "Dockerfile after a second run", harness.ReadFile(t, filepath.Join(dir, "Dockerfile")), before)
}
