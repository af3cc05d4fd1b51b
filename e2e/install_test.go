//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// files lists the files of directories.
func files(t *testing.T, dirs ...string) string {
	t.Helper()
	var names []string
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
	}
	return strings.Join(names, " ")
}

// wantInstalled checks that the file is this binary, and that everybody may run it.
func wantInstalled(t *testing.T, path string) {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	harness.Want(t, "mode of "+path, info.Mode(), 0o755)
	if harness.ReadFile(t, path) != harness.ReadFile(t, harness.Binary(t)) {
		t.Errorf("got another file as %s, want this binary", path)
	}
}

func TestInstall(t *testing.T) {
	longer := strings.Repeat("older and longer\n", 1<<20)
	for _, test := range []struct {
		name    string
		target  string // below the directory
		prepare func(t *testing.T, dir string)
		want    string // the file that is there then
	}{
		{"into a directory", "", func(*testing.T, string) {}, "envoy-wait"},
		{"to a name", "wait", func(*testing.T, string) {}, "wait"},
		{"over a longer one", "wait", func(t *testing.T, dir string) { harness.WriteFile(t, dir+"/wait", longer, 0o600) }, "wait"},
		{"over a longer one in the directory", "", func(t *testing.T, dir string) { harness.WriteFile(t, dir+"/envoy-wait", longer, 0o444) }, "envoy-wait"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			test.prepare(t, dir)
			cmd := exec.Command("sh", "-c", `umask 077; exec "$0" --install "$1"`, harness.Binary(t), dir+"/"+test.target)
			cmd.Env = harness.Env()
			harness.Start(t, cmd).Result().Want(t, 0, "").WantLines(t, 0)
			wantInstalled(t, filepath.Join(dir, test.want))
			harness.Want(t, "files", files(t, dir), test.want)
		})
	}
}

// Only a regular file is replaced: as root, --install /dev/null would cost the machine its /dev/null.
func TestInstallReplacesNothingElse(t *testing.T) {
	harness.NeedRoot(t)
	for name, make := range map[string]string{
		"a link": "ln -s other target; echo old >other", "a dangling link": "ln -s other target",
		"a device": "mknod target c 1 3", "a FIFO": "mkfifo target",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			harness.Must(t, "sh", "-ec", `cd "$0"; `+make, dir)
			before := harness.Must(t, "ls", "-l", "--time-style=+", dir)
			run(t, "--install", dir+"/target").Want(t, 125, "").WantLines(t, 1).Says(t, `--install: writing "`+dir+`/target": not a regular file`)
			harness.Want(t, "files", harness.Must(t, "ls", "-l", "--time-style=+", dir), before)
		})
	}
}

// A binary whose file was removed can still be installed. Without /proc it cannot, and the error says so.
func TestInstallOfARemovedFile(t *testing.T) {
	harness.NeedRoot(t)
	harness.NeedTools(t, "unshare", "mount")
	dir := t.TempDir()
	harness.WriteFile(t, dir+"/binary", harness.ReadFile(t, harness.Binary(t)), 0o755)
	removed := exec.Command("sh", "-ec", `cd "$0"; exec 3<binary; rm binary; exec /proc/self/fd/3 --install "$0/target"`, dir)
	removed.Env = harness.Env()
	harness.Start(t, removed).Result().WantCode(t, 0)
	wantInstalled(t, dir+"/target")
	words := append(harness.InMounts("mount -t tmpfs none /proc"), harness.Binary(t), "--install", dir+"/other")
	hidden := exec.Command(words[0], words[1:]...)
	hidden.Env = harness.Env()
	harness.Start(t, hidden).Result().WantCode(t, 125).Says(t, "--install: reading this program: open /proc/self/exe: ")
}

// The old process runs on. cp would fail with "text file busy".
func TestInstallOverARunningOne(t *testing.T) {
	dir := t.TempDir()
	old := filepath.Join(dir, "envoy-wait")
	harness.WriteFile(t, old, harness.ReadFile(t, harness.Binary(t))+"older", 0o755)
	port := harness.NewPort(t)
	cmd := exec.Command(old, "--url", port.URL(), "--", "echo", "started")
	cmd.Env = harness.Env()
	p := harness.Start(t, cmd)
	p.Await("connection refused")
	run(t, "--install", dir).WantCode(t, 0)
	wantInstalled(t, old)
	port.Sidecar(true)
	p.Result().Want(t, 0, "started\n")
	harness.Run(t, old, "--version").WantCode(t, 0)
}

// A failed --install says why, and changes nothing.
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
			// A copy, since the user below may not read the repository.
			binary := filepath.Join(dir, "binary")
			harness.WriteFile(t, binary, harness.ReadFile(t, harness.Binary(t)), 0o755)
			harness.Must(t, "sh", "-euc", `cd "$0"
				mkdir -p readonly taken/envoy-wait
				touch file
				printf old >readonly/envoy-wait
				chmod 755 ..
				chmod 777 . taken
				chmod 555 readonly`, dir)
			dirs := []string{dir, dir + "/readonly", dir + "/taken"}
			before := files(t, dirs...)

			cmd := exec.Command(binary, "--install", dir+"/"+test.target)
			cmd.Env, cmd.Dir = harness.Env(), "/"
			if os.Getuid() == 0 { // root may write to every directory
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65532, Gid: 65532}}
			}
			r := harness.Start(t, cmd).Result().Want(t, 125, "").WantLines(t, 1).Says(t, `--install: writing "`+dir, ": "+test.reason)
			if m := r.Message(t); !strings.HasSuffix(m, test.reason) || strings.Contains(m, ".envoy-wait-") {
				t.Errorf("got %s, want the reason last, and no temporary name", m)
			}
			harness.Want(t, "files", files(t, dirs...), before)
			harness.Want(t, "the old file", harness.ReadFile(t, dir+"/readonly/envoy-wait"), "old")
		})
	}
}

// A run that was killed leaves its temporary file. The next one removes that, and only that.
func TestInstallAfterAKilledOne(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".envoy-wait-1", ".envoy-wait-2345", ".envoy", ".envoy-wait-mine", "x.envoy-wait-1"} {
		harness.WriteFile(t, filepath.Join(dir, name), "old", 0o600)
	}
	run(t, "--install", dir).Want(t, 0, "")
	wantInstalled(t, filepath.Join(dir, "envoy-wait"))
	harness.Want(t, "files", files(t, dir), ".envoy .envoy-wait-mine envoy-wait x.envoy-wait-1")
}

// Init containers of one Pod may share a volume, and run side by side.
func TestInstallSideBySide(t *testing.T) {
	dir := t.TempDir()
	var all []*harness.Process
	for range 8 {
		all = append(all, harness.Start(t, envoyWait(t, "--install", dir)))
	}
	for _, p := range all {
		p.Result().Want(t, 0, "")
	}
	wantInstalled(t, filepath.Join(dir, "envoy-wait"))
	harness.Want(t, "files", files(t, dir), "envoy-wait")
}

func TestInstallOntoAFullDisk(t *testing.T) {
	harness.NeedRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	harness.WriteFile(t, dir+"/envoy-wait", "old", 0o755)
	r := run(t, "--install", dir).WantCode(t, 125)
	harness.Want(t, "message", r.Message(t), `--install: writing "`+dir+`/envoy-wait": no space left on device`)
	harness.Want(t, "files", files(t, dir), "envoy-wait")
	harness.Want(t, "the old file", harness.ReadFile(t, dir+"/envoy-wait"), "old")
}

// --install takes no command, and has no variable: in an envFrom a variable would break every app.
func TestInstallAlone(t *testing.T) {
	target := filepath.Join(t.TempDir(), "target")
	mark := filepath.Join(t.TempDir(), "started")
	for _, args := range [][]string{
		{"--install", target, "touch", mark},
		{"--install", target, "--", "touch", mark},
		{"--install", ""},
		{"--install"},
	} {
		run(t, args...).Want(t, 125, "").WantLines(t, 1).Says(t, "", "--install")
	}
	runEnv(t, []string{"ENVOY_WAIT_INSTALL=" + target}, "--disabled", "--", "echo", "started").Want(t, 0, "started\n")
	wantNone(t, target)
	wantNone(t, mark)
}
