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

// Everything that is off: the image needs no file to write, no capability, no
// user of its own, no network.
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
					t.Fatalf("this is no base: %q", base)
				}
				more = slices.DeleteFunc(more, func(path string) bool { return slices.Contains(base, path) })
			}
			if !slices.Equal(more, []string{"envoy-wait"}) {
				t.Errorf("more than its base: %q", more)
			}

			checkConfig(t, test.image, test.entrypoint, test.title)
			r := runOnce(t, append(lockedDown, "--entrypoint", "/envoy-wait", test.image, "--version")...)
			if r.Code != 0 || r.Stdout != "envoy-wait "+imageVersion+"\n" || r.Stderr != "" {
				t.Errorf("%+v", r)
			}
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
	if config.User != "65532:65532" || string(config.Entrypoint) != entrypoint || len(config.Cmd) != 0 {
		t.Errorf("user %s, entrypoint %s, cmd %q", config.User, config.Entrypoint, config.Cmd)
	}
	for label, want := range map[string]string{
		"title": title, "version": imageVersion, "revision": imageRevision, "created": imageCreated, "licenses": "Apache-2.0",
		"source": "https://github.com/envoy-wait/envoy-wait",
	} {
		if got := config.Labels["org.opencontainers.image."+label]; got != want {
			t.Errorf("label %s: %q, not %q", label, got, want)
		}
	}
}

// A base image whose user forgot the CMD says so, and nothing in a CMD is a flag.
func TestDistrolessWithoutACommand(t *testing.T) {
	needImages(t, ours)
	if r := runOnce(t, append(lockedDown, imageDistroless)...); r.Code != 125 || !strings.Contains(r.Stderr, `expected a command after \"--\"`) {
		t.Errorf("%+v", r)
	}
	if r := runOnce(t, append(lockedDown, imageDistroless, "--version")...); r.Code != 127 || !strings.Contains(r.Stderr, `looking up \"--version\"`) {
		t.Errorf("%+v", r)
	}
}

// An image for another platform is cross-compiled: nothing of it runs here.
// podman 4.3 does not know BUILDPLATFORM in FROM, which docker and later ones do.
func TestImageForAnotherPlatform(t *testing.T) {
	needImages(t, bases)
	flags, err := buildFlags()
	if err != nil {
		t.Fatal(err)
	}
	const image = "envoy-wait:armv6"
	// By command, as a build may take longer than a test's patience.
	err = command("podman", slices.Concat([]string{"build", "-t", image, "--platform=linux/arm/v6",
		"--build-arg=BUILDPLATFORM=linux/" + goEnv(t, "GOARCH")}, flags, []string{sources()})...)
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(mount(t, image), "envoy-wait")
	checkStatic(t, binary, elf.EM_ARM)
	if level := buildSetting(t, binary, "GOARM"); level != "6" { // 7 is the default
		t.Errorf("GOARM is %q", level)
	}
	if arch := podman(t, "image", "inspect", "-f", "{{.Os}}/{{.Architecture}}", image); arch != "linux/arm" {
		t.Errorf("the image says %s", arch)
	}
}

// The context of a build is what is compiled, and how: nothing else makes a
// build anew, or gets into one.
func TestBuildContext(t *testing.T) {
	needPodman(t)
	dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
	if err := os.WriteFile(dockerfile, []byte("FROM scratch\nCOPY . /\n"), 0o644); err != nil {
		t.Fatal(err)
	}
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

// Wherever an image may be built for, the binary is static.
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
			cmd := exec.Command("make", "-s", "-C", tree, "build")
			cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+test.arch, "GOARM="+test.arm)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			checkStatic(t, filepath.Join(tree, "bin", "envoy-wait"), test.machine)
		})
	}
}

func checkStatic(t *testing.T, path string, machine elf.Machine) {
	t.Helper()
	file, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if file.Machine != machine {
		t.Errorf("built for %v", file.Machine)
	}
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP || program.Type == elf.PT_DYNAMIC {
			t.Errorf("not static: it has a segment %v", program.Type)
		}
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

// mount shows an image's files below a directory until the test ends.
func mount(t *testing.T, image string) string {
	t.Helper()
	t.Cleanup(func() { podman(t, "image", "umount", image) })
	return podman(t, "image", "mount", image)
}

// files lists what is in an image, directories too, in order.
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

// An engine is one that answers: the client of docker is often there without.
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
			if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for target, want := range map[string]string{
			"image":            "-f Dockerfile -t ghcr.io/envoy-wait/envoy-wait:1.0 .\n",
			"image-distroless": "-f Dockerfile.distroless --build-arg ENVOY_WAIT=ghcr.io/envoy-wait/envoy-wait:1.0 -t ghcr.io/envoy-wait/envoy-wait:1.0-distroless .\n",
		} {
			cmd := exec.Command("make", "-s", "-C", harness.Root(), target, "VERSION=v1.0", "REVISION=abc", "CREATED=now", "IMAGE_FLAGS=--pull")
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			r := harness.Start(t, cmd).Result()
			want = test.chosen + ": build --build-arg VERSION=1.0 --build-arg REVISION=abc --build-arg CREATED=now --pull " + want
			if r.Code != 0 || !strings.HasSuffix(r.Stdout, want) || strings.Count(r.Stdout, "\n") != strings.Count(target, "-")+1 {
				t.Errorf("%s, docker is %q: %+v", target, test.docker, r)
			}
		}
	}
}
