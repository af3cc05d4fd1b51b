//go:build linux

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// files lists what is in a directory: the test of whether there is debris.
func files(t *testing.T, dir string) (names []string) {
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

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, content, mode); err != nil {
		t.Fatal(err)
	}
}

// isInstalled checks that the file is this binary, for all to run.
func isInstalled(t *testing.T, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o755 {
		t.Errorf("mode %v", info.Mode())
	}
	if !bytes.Equal(read(t, path), read(t, harness.Binary(t))) {
		t.Error("its content is another")
	}
}

func TestInstall(t *testing.T) {
	longer := bytes.Repeat([]byte("older and longer\n"), 1<<20)
	for _, test := range []struct {
		name    string
		target  string // below the directory
		prepare func(t *testing.T, dir string)
		want    string // the file that is there then, and others
	}{
		{"into a directory", "", func(*testing.T, string) {}, "envoy-wait"},
		{"to a name", "wait", func(*testing.T, string) {}, "wait"},
		{"over a longer one", "wait", func(t *testing.T, dir string) { write(t, dir+"/wait", longer, 0o600) }, "wait"},
		{"over a longer one in the directory", "", func(t *testing.T, dir string) { write(t, dir+"/envoy-wait", longer, 0o444) }, "envoy-wait"},
		{"over a link", "wait", func(t *testing.T, dir string) {
			write(t, dir+"/z", []byte("not to be touched"), 0o644)
			if err := os.Symlink("z", dir+"/wait"); err != nil {
				t.Fatal(err)
			}
		}, "wait z"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			test.prepare(t, dir)
			cmd := exec.Command("sh", "-c", `umask 077; exec "$0" --install "$1"`, harness.Binary(t), dir+"/"+test.target)
			cmd.Env = harness.Env()
			if r := harness.Start(t, cmd).Result(); r.Code != 0 || r.Stdout+r.Stderr != "" {
				t.Fatalf("%+v", r)
			}
			names := strings.Fields(test.want)
			isInstalled(t, filepath.Join(dir, names[0]))
			if got := files(t, dir); !slices.Equal(got, names) {
				t.Errorf("there is %q", got)
			}
			if len(names) > 1 && string(read(t, dir+"/z")) != "not to be touched" {
				t.Error("the link was followed")
			}
		})
	}
}

// The old file runs on, where cp would fail with "text file busy".
func TestInstallOverARunningOne(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "envoy-wait")
	write(t, old, append(read(t, harness.Binary(t)), "older"...), 0o755)
	port := harness.NewPort(t)
	cmd := exec.Command(old, "--url", port.URL(), "--", "echo", "started")
	cmd.Env = harness.Env()
	p := harness.Start(t, cmd)
	p.Await("connection refused")
	if r := run(t, "--install", dir); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	isInstalled(t, old)
	port.Sidecar(true)
	if r := p.Result(); r.Code != 0 || r.Stdout != "started\n" {
		t.Errorf("the old one: %+v", r)
	}
	if r := harness.Run(t, old, "--version"); r.Code != 0 {
		t.Errorf("the new one: %+v", r)
	}
}

// An init container that fails says why, and leaves what was there.
func TestInstallFails(t *testing.T) {
	for _, test := range []struct{ name, target, reason string }{
		{"the directory is not writable", "readonly/", "permission denied"},
		{"the file is in a directory that is not writable", "readonly/envoy-wait", "permission denied"},
		{"there is no such directory", "missing/envoy-wait", "no such file or directory"},
		{"there is no such directory, with a slash", "missing/", "no such file or directory"},
		{"a file is no directory", "file/envoy-wait", "not a directory"},
		{"a directory has that name", "taken", "file exists"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			// The user below must get there, but the repository may be root's alone.
			binary := filepath.Join(dir, "binary")
			write(t, binary, read(t, harness.Binary(t)), 0o755)
			harness.Must(t, "sh", "-euc", `cd "$0"
				mkdir -p readonly taken/envoy-wait
				touch file
				printf old >readonly/envoy-wait
				chmod 755 ..
				chmod 777 . taken
				chmod 555 readonly`, dir)
			before := slices.Concat(files(t, dir), files(t, dir+"/readonly"), files(t, dir+"/taken"))

			cmd := exec.Command(binary, "--install", dir+"/"+test.target)
			cmd.Env, cmd.Dir = harness.Env(), "/"
			if os.Getuid() == 0 { // to whom every directory is writable
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
			}
			r := harness.Start(t, cmd).Result()
			if r.Code != 125 || r.Stdout != "" || strings.Count(r.Stderr, "\n") != 1 {
				t.Errorf("%+v", r)
			}
			if m := message(t, r.Stderr); !strings.HasPrefix(m, `--install: writing "`+dir) || !strings.HasSuffix(m, ": "+test.reason) || strings.Contains(m, ".envoy-wait-") {
				t.Errorf("%s", m)
			}
			if after := slices.Concat(files(t, dir), files(t, dir+"/readonly"), files(t, dir+"/taken")); !slices.Equal(after, before) {
				t.Errorf("there is %q, there was %q", after, before)
			}
			if content := read(t, dir+"/readonly/envoy-wait"); string(content) != "old" {
				t.Errorf("the old file has %d bytes now", len(content))
			}
		})
	}
}

func TestInstallOntoAFullDisk(t *testing.T) {
	harness.NeedRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	write(t, dir+"/envoy-wait", []byte("old"), 0o755)
	r := run(t, "--install", dir)
	if r.Code != 125 || message(t, r.Stderr) != `--install: writing "`+dir+`/envoy-wait": no space left on device` {
		t.Errorf("%+v", r)
	}
	if got := files(t, dir); !slices.Equal(got, []string{"envoy-wait"}) || string(read(t, dir+"/envoy-wait")) != "old" {
		t.Errorf("there is %q", got)
	}
}

// It is one thing or the other, and a flag only: as a variable, in an envFrom
// that is shared, it would break every app.
func TestInstallAlone(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	mark := filepath.Join(t.TempDir(), "started")
	for _, args := range [][]string{
		{"--install", target, "touch", mark},
		{"--install", target, "--", "touch", mark},
		{"--install", target, "--"},
		{"--install", ""},
		{"--install"},
	} {
		if r := run(t, args...); r.Code != 125 || strings.Count(r.Stderr, "\n") != 1 || r.Stdout != "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
	cmd := envoyWait(t, "--disabled", "--", "echo", "started")
	cmd.Env = harness.Env("ENVOY_WAIT_INSTALL=" + target)
	if r := harness.Start(t, cmd).Result(); r.Code != 0 || r.Stdout != "started\n" {
		t.Errorf("%+v", r)
	}
	for _, path := range []string{target, mark} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is there", path)
		}
	}
}
