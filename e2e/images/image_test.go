//go:build linux

package images

import (
	"debug/buildinfo"
	"debug/elf"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// lockedDown are the flags of a container with nothing: no file to write, no
// capability, an unknown user.
var lockedDown = []string{"--read-only", "--cap-drop", "all", "--user", "65532"}

func TestImages(t *testing.T) {
	needImages(t, ours)
	for _, test := range []struct{ image, base, entrypoint, title string }{
		{imageToCopyFrom, "", `["/envoy-wait"]`, "envoy-wait"},
		{imageDistroless, "gcr.io/distroless/static-debian12:nonroot", `["/envoy-wait","--"]`, "envoy-wait on distroless/static"},
	} {
		t.Run(test.image, func(t *testing.T) {
			more := files(t, test.image)
			if test.base != "" {
				base := files(t, test.base)
				if len(base) < 100 {
					t.Fatalf("got the base %q, want at least 100 files", base)
				}
				more = slices.DeleteFunc(more, func(path string) bool { return slices.Contains(base, path) })
			}
			if !slices.Equal(more, []string{"envoy-wait"}) {
				t.Errorf("got %q besides the base, want envoy-wait alone", more)
			}

			checkConfig(t, test.image, test.entrypoint, test.title)
			runOnce(t, append(lockedDown, "--entrypoint", "/envoy-wait", test.image, "--version")...).
				Want(t, 0, "envoy-wait "+imageVersion+"\n").WantLines(t, 0)
		})
	}
}

func checkConfig(t *testing.T, image, entrypoint, title string) {
	t.Helper()
	var config struct {
		User       string
		Entrypoint json.RawMessage
		Cmd        []string
		Labels     map[string]string
	}
	if err := json.Unmarshal([]byte(podman(t, "image", "inspect", "-f", "{{json .Config}}", image)), &config); err != nil {
		t.Fatal(err)
	}
	harness.Want(t, "user", config.User, "65532:65532")
	harness.Want(t, "entrypoint", string(config.Entrypoint), entrypoint)
	harness.Want(t, "words of the CMD", len(config.Cmd), 0)
	for label, want := range map[string]string{
		"title": title, "version": imageVersion, "revision": imageRevision, "created": imageCreated, "licenses": "Apache-2.0",
		"source": "https://github.com/envoy-wait/envoy-wait",
	} {
		harness.Want(t, "label "+label, config.Labels["org.opencontainers.image."+label], want)
	}
}

// Without a CMD the base image says so. No word of a CMD is a flag.
func TestDistrolessWithoutACommand(t *testing.T) {
	needImages(t, ours)
	runOnce(t, append(lockedDown, imageDistroless)...).WantCode(t, 125).Says(t, `expected a command after "--"`)
	runOnce(t, append(lockedDown, imageDistroless, "--version")...).WantCode(t, 127).Says(t, `looking up "--version"`)
}

// An image for another platform is cross-compiled: no program of it runs here.
// podman 4.3 does not know BUILDPLATFORM in FROM, which docker and later ones do.
func TestImageForAnotherPlatform(t *testing.T) {
	needImages(t, bases)
	flags, err := buildFlags()
	if err != nil {
		t.Fatal(err)
	}
	const image = "envoy-wait:armv6"
	// By command: a build may take longer than harness.Patience.
	err = command("podman", slices.Concat([]string{"build", "-t", image, "--platform=linux/arm/v6",
		"--build-arg=BUILDPLATFORM=linux/" + goEnv(t, "GOARCH")}, flags, []string{sources()})...)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(mount(t, image), "envoy-wait")
	harness.Want(t, "machine", harness.WantStatic(t, binary), elf.EM_ARM)
	harness.Want(t, "GOARM", buildSetting(t, binary, "GOARM"), "6") // 7 is the default
	harness.Want(t, "platform", podman(t, "image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", image), "linux/arm")
}

// The context of a build has the files that are compiled, and no other: no other can
// get into an image, or make a build slow.
func TestBuildContext(t *testing.T) {
	needPodman(t)
	dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
	harness.WriteFile(t, dockerfile, "FROM scratch\nCOPY . /\n", 0o644)
	root := harness.Root()
	podman(t, "build", "-f", dockerfile, "-t", "context", root)

	want := []string{"Makefile", "go.mod", "go.sum"}
	sources, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"exec", "internal", "probe"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, entry fs.DirEntry, err error) error {
			if entry != nil && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			sources = append(sources, path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, source := range sources {
		if name, err := filepath.Rel(root, source); err != nil {
			t.Fatal(err)
		} else if !strings.HasSuffix(name, "_test.go") {
			want = append(want, name)
		}
	}
	slices.Sort(want)
	if got := files(t, "context"); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// The binary is static on each platform of an image.
func TestEveryPlatformIsStatic(t *testing.T) {
	harness.NeedTools(t, "make")
	tree := harness.CopySources(t)
	for _, test := range []struct {
		arch, arm string
		machine   elf.Machine
	}{
		{"amd64", "", elf.EM_X86_64},
		{"arm64", "", elf.EM_AARCH64},
		{"arm", "7", elf.EM_ARM},
		{"ppc64le", "", elf.EM_PPC64},
		{"s390x", "", elf.EM_S390},
		{"riscv64", "", elf.EM_RISCV},
	} {
		t.Run(test.arch, func(t *testing.T) {
			if err := command("env", "GOOS=linux", "GOARCH="+test.arch, "GOARM="+test.arm, "make", "-s", "-C", tree, "build"); err != nil {
				t.Fatal(err)
			}
			harness.Want(t, "machine", harness.WantStatic(t, filepath.Join(tree, "bin", "envoy-wait")), test.machine)
		})
	}
}

func buildSetting(t *testing.T, path, key string) string {
	t.Helper()
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, setting := range info.Settings {
		if setting.Key == key {
			return setting.Value
		}
	}
	return ""
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(harness.Must(t, "go", "env", name))
}

// mount mounts an image on a directory until the test ends.
func mount(t *testing.T, image string) string {
	t.Helper()
	t.Cleanup(func() { podman(t, "image", "umount", image) })
	return podman(t, "image", "mount", image)
}

// files lists the files and directories of an image, in order.
func files(t *testing.T, image string) (paths []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(mount(t, image)), ".", func(path string, _ fs.DirEntry, err error) error {
		if path != "." {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// docker is chosen if its engine answers: a machine may have the client alone.
func TestMakeImageChoosesAnEngine(t *testing.T) {
	harness.NeedTools(t, "make")
	for _, test := range []struct{ docker, chosen string }{
		{"exit 0", "docker"},
		{`[ "$1" != info ]`, "podman"}, // a client without its engine
		{"exit 127", "podman"},         // none
	} {
		bin := t.TempDir()
		for name, body := range map[string]string{"docker": test.docker, "podman": "exit 0"} {
			script := "#!/bin/sh\n[ \"$1\" = info ] || echo \"" + name + ": $*\"\n" + body + "\n"
			harness.WriteFile(t, filepath.Join(bin, name), script, 0o755)
		}
		for target, want := range map[string]string{
			"image":            "-f Dockerfile -t ghcr.io/envoy-wait/envoy-wait:1.0 .\n",
			"image-distroless": "-f Dockerfile.distroless --build-arg ENVOY_WAIT=ghcr.io/envoy-wait/envoy-wait:1.0 -t ghcr.io/envoy-wait/envoy-wait:1.0-distroless .\n",
		} {
			cmd := exec.Command("make", "-s", "-C", harness.Root(), target, "VERSION=v1.0", "REVISION=abc", "CREATED=now", "IMAGE_FLAGS=--pull")
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			r := harness.Start(t, cmd).Result()
			want = test.chosen + ": build --build-arg VERSION=1.0 --build-arg REVISION=abc --build-arg CREATED=now --pull " + want
			if lines := strings.Count(target, "-") + 1; r.Code != 0 || !strings.HasSuffix(r.Stdout, want) || strings.Count(r.Stdout, "\n") != lines {
				t.Errorf("%s, docker is %q: got exit status %d and %q, want %d lines with %q at the end", target, test.docker, r.Code, r.Stdout, lines, want)
			}
		}
	}
}
