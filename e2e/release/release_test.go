//go:build linux

package release

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/machine"
)

func TestMain(m *testing.M) { machine.Main(m) }

// scratch is where the clones are, below bin, so that make clean removes them.
var scratch = filepath.Join(harness.Root(), "bin", "e2e-release")

// platform is one that a release has.
type platform struct{ os, arch, arm, deb, rpm, apk, qemu string }

var platforms = []platform{
	{"linux", "amd64", "", "amd64", "x86_64", "x86_64", "qemu-x86_64-static"},
	{"linux", "arm64", "", "arm64", "aarch64", "aarch64", "qemu-aarch64-static"},
	{"linux", "arm", "7", "armhf", "armv7hl", "armv7", "qemu-arm-static"},
	{"linux", "386", "", "i386", "i386", "x86", "qemu-i386-static"},
	{"linux", "ppc64le", "", "ppc64el", "ppc64le", "ppc64le", "qemu-ppc64le-static"},
	{"linux", "s390x", "", "s390x", "s390x", "s390x", "qemu-s390x-static"},
	{"linux", "riscv64", "", "riscv64", "riscv64", "riscv64", "qemu-riscv64-static"},
	{os: "darwin", arch: "amd64"},
	{os: "darwin", arch: "arm64"},
}

func (p platform) String() string {
	if p.arm != "" {
		return p.os + "_" + p.arch + "v" + p.arm
	}
	return p.os + "_" + p.arch
}

// file is the name of the bare binary; archive and SBOM begin with it.
func (p platform) file() string { return "envoy-wait_" + harness.Version() + "_" + p.String() }

// packages are the files for deb, rpm and apk.
func (p platform) packages() []string {
	if p.os != "linux" {
		return nil
	}
	return []string{
		"envoy-wait_" + harness.Version() + "_" + p.deb + ".deb",
		"envoy-wait-" + harness.Version() + "-1." + p.rpm + ".rpm",
		"envoy-wait_" + harness.Version() + "_" + p.apk + ".apk",
	}
}

// tools are built by make e2e-release.
var tools = filepath.Join(harness.Root(), "bin", "tools")

func tool(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(tools, name)
	_, err := os.Stat(path)
	harness.Need(t, err == nil, "needs make e2e-release")
	return path
}

// release makes the files in a clone of its own.
func release(name, umask string, makeArgs []string, env ...string) error {
	dir := filepath.Join(scratch, name)
	script := `umask "$1"; git clone --quiet --no-hardlinks "$2" "$3"; cd "$3"; version=$4; shift 4; make release VERSION="v$version" "$@"`
	cmd := exec.Command("sh", append([]string{"-ec", script, "sh", umask, harness.Root(), dir, harness.Version()}, makeArgs...)...)
	cmd.Env = append(harness.Env(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make release: %w\n%s", err, out)
	}
	return nil
}

var releases = sync.OnceValue(func() error {
	if err := os.RemoveAll(scratch); err != nil {
		return err
	}
	if err := os.MkdirAll(scratch, 0o755); err != nil {
		return err
	}
	asTheyAre := []string{"TOOLS=" + tools, "-o", "Makefile"}
	if err := release("first", "022", asTheyAre, "TZ=UTC"); err != nil {
		return err
	}
	return release("again-elsewhere", "077", nil, "TZ=Asia/Tokyo", "LC_ALL=C", "USER=somebody") // builds the tools, too
})

// files is the folder with the files of the first release.
func files(t *testing.T) string {
	t.Helper()
	tool(t, "goreleaser")
	tool(t, "cyclonedx-gomod")
	if err := releases(); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(scratch, "first", "bin", "release")
}

func list(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// Two runs, at different times and places, give the same bytes for every file.
func TestReleaseIsReproducible(t *testing.T) {
	first := files(t)
	again := filepath.Join(scratch, "again-elsewhere", "bin", "release")
	want := []string{"SHA256SUMS"}
	for _, p := range platforms {
		want = append(want, p.file(), p.file()+".tar.gz", p.file()+".cdx.json")
		want = append(want, p.packages()...)
	}
	slices.Sort(want)
	for _, dir := range []string{first, again} {
		if got := list(t, dir); !slices.Equal(got, want) {
			t.Fatalf("got the files\n%q, want\n%q", got, want)
		}
	}
	for _, name := range want {
		if harness.ReadFile(t, filepath.Join(first, name)) != harness.ReadFile(t, filepath.Join(again, name)) {
			t.Errorf("%s: got other bytes from the second run, want the same", name)
		}
	}
	out := harness.Must(t, "sh", "-c", `cd "$1" && sha256sum -c SHA256SUMS`, "sh", first)
	harness.Want(t, "files with a checksum", strings.Count(out, ": OK\n"), len(want)-1)
}

// unpack returns a folder with the files of an archive or a package.
func unpack(t *testing.T, path string) string {
	t.Helper()
	harness.NeedTools(t, "bsdtar")
	dir := t.TempDir()
	if strings.HasSuffix(path, ".deb") {
		harness.Must(t, "dpkg-deb", "-x", path, dir)
	} else {
		harness.Must(t, "bsdtar", "-x", "-f", path, "-C", dir)
	}
	return dir
}

// Each file of a release has the program of make build, and the files that belong to it.
func TestReleaseHasTheProgram(t *testing.T) {
	dir := files(t)
	for _, p := range platforms {
		t.Run(p.String(), func(t *testing.T) {
			cmd := exec.Command("make", "-s", "-C", filepath.Join(scratch, "first"), "build", "VERSION=v"+harness.Version(), "MAX_SIZE=9000000")
			cmd.Env = harness.Env("GOOS="+p.os, "GOARCH="+p.arch, "GOARM="+p.arm)
			harness.Start(t, cmd).Result().WantCode(t, 0)
			program := harness.ReadFile(t, filepath.Join(scratch, "first", "bin", "envoy-wait"))
			if harness.ReadFile(t, filepath.Join(dir, p.file())) != program {
				t.Error("got another binary, want that of make build")
			}

			folder := filepath.Join(unpack(t, filepath.Join(dir, p.file()+".tar.gz")), p.file())
			if harness.ReadFile(t, filepath.Join(folder, "envoy-wait")) != program {
				t.Error("got another binary in the archive, want that of make build")
			}
			for in, of := range map[string]string{
				"LICENSE": "LICENSE", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md",
				"man/envoy-wait.1": "docs/envoy-wait.1", "completion/_envoy-wait": "docs/completion/_envoy-wait",
				"completion/envoy-wait.bash": "docs/completion/envoy-wait.bash", "completion/envoy-wait.fish": "docs/completion/envoy-wait.fish",
			} {
				harness.Want(t, in+" is ours", harness.ReadFile(t, filepath.Join(folder, in)) == source(t, of), true)
			}
			for _, name := range p.packages() {
				root := unpack(t, filepath.Join(dir, name))
				if harness.ReadFile(t, filepath.Join(root, "usr/bin/envoy-wait")) != program {
					t.Errorf("%s: got another binary, want that of make build", name)
				}
				zsh := "usr/share/zsh/site-functions/_envoy-wait"
				if strings.HasSuffix(name, ".deb") {
					zsh = "usr/share/zsh/vendor-completions/_envoy-wait"
				}
				for in, of := range map[string]string{
					"usr/share/man/man1/envoy-wait.1": "docs/envoy-wait.1", zsh: "docs/completion/_envoy-wait",
					"usr/share/bash-completion/completions/envoy-wait":    "docs/completion/envoy-wait.bash",
					"usr/share/fish/vendor_completions.d/envoy-wait.fish": "docs/completion/envoy-wait.fish",
					"usr/share/doc/envoy-wait/examples/shop":              "examples/legacy-init/shop",
					"usr/share/doc/envoy-wait/examples/shop.service":      "examples/legacy-init/shop.service",
					"usr/share/doc/envoy-wait/copyright":                  "LICENSE",
				} {
					harness.Want(t, name+": "+in+" is ours", harness.ReadFile(t, filepath.Join(root, in)) == source(t, of), true)
				}
			}
		})
	}
}

func source(t *testing.T, name string) string {
	t.Helper()
	return harness.ReadFile(t, filepath.Join(scratch, "first", name))
}

// The SBOM lists the modules and the Go that are in the binary, and names its bytes.
func TestSBOM(t *testing.T) {
	dir := files(t)
	for _, p := range platforms {
		path := filepath.Join(dir, p.file())
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"std " + info.GoVersion}
		for _, module := range info.Deps {
			want = append(want, module.Path+" "+module.Version)
		}
		harness.Want(t, "modules", len(info.Deps), 7)

		type property struct{ Name, Value string }
		var sbom struct {
			BomFormat string
			Metadata  struct {
				Component struct {
					Version    string
					Properties []property
				}
			}
			Components []struct{ Name, Version string }
		}
		text := harness.ReadFile(t, path+".cdx.json")
		if err := json.Unmarshal([]byte(text), &sbom); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, component := range sbom.Components {
			got = append(got, component.Name+" "+component.Version)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q in the SBOM, want the modules of the binary, %q", p, got, want)
		}
		harness.Want(t, "format", sbom.BomFormat, "CycloneDX")
		harness.Want(t, "version", sbom.Metadata.Component.Version, "v"+harness.Version())
		sum := sha256.Sum256([]byte(harness.ReadFile(t, path)))
		harness.WantIn(t, text, hex.EncodeToString(sum[:]))
	}
}

// Each program for Linux waits and becomes the app. Where this machine cannot run it,
// qemu does.
func TestReleaseRuns(t *testing.T) {
	dir := files(t)
	for _, p := range platforms {
		if p.os != "linux" {
			continue
		}
		t.Run(p.String(), func(t *testing.T) {
			path := filepath.Join(dir, p.file())
			command := []string{path}
			if harness.Run(t, "sh", "-c", `"$1" --version`, "sh", path).Code != 0 {
				harness.NeedTools(t, p.qemu)
				command = []string{p.qemu, path}
			}
			harness.WantStatic(t, path)
			harness.Want(t, "version", harness.Must(t, command[0], append(command[1:], "--version")...), "envoy-wait "+harness.Version()+"\n")

			port := harness.NewPort(t)
			s := port.Sidecar(false)
			waiting := harness.Start(t, exec.Command(command[0], append(command[1:], "--url", port.URL(), "--log-format", "text",
				"--", "sh", "-c", "echo app as $$; exit 7")...))
			waiting.Await("status 503")
			s.SetReady(true)
			r := waiting.Result().WantCode(t, 7)
			harness.Want(t, "stdout", r.Stdout, fmt.Sprintf("app as %d\n", waiting.Process.Pid))
		})
	}
}
