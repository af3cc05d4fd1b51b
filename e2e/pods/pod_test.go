//go:build linux

package pods

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The sidecar that the mesh would inject. It is ready when the test says so.
const injected = `
        - name: istio-proxy
          image: ` + imageSidecar + `
          args: ["-unready", "-1s"]`

// podman 4.3 restarts an init container for ever where the Pod says Always, which
// is the default.
const neverRestart = "\n      restartPolicy: Never"

// manifest is an example as it stands, with the sidecar injected or without.
func manifest(t *testing.T, name string, sidecar bool) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(harness.Root(), "examples", "kubernetes", name))
	if err != nil {
		t.Fatal(err)
	}
	yaml := after(t, string(content), "\n    spec:", neverRestart)
	if sidecar {
		yaml = after(t, yaml, "\n      containers:", injected)
	}
	return yaml
}

func after(t *testing.T, text, place, more string) string {
	t.Helper()
	if n := strings.Count(text, place); n != 1 {
		t.Fatalf("%q is there %d times", place, n)
	}
	return strings.Replace(text, place, place+more, 1)
}

// play starts a Pod, and removes it when the test ends. Its containers are called
// after it.
func play(t *testing.T, pod, yaml string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), pod+".yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		podman(t, "pod", "rm", "-f", "-i", "-t", "0", pod)
		podman(t, "volume", "prune", "-f")
	})
	podman(t, "kube", "play", "--network", loopback, path)
}

// becomesReady lets the sidecar be ready, not before it has answered 503.
func becomesReady(t *testing.T, sidecar container) {
	t.Helper()
	sidecar.await(t, "Envoy proxy is NOT ready")
	podman(t, "kill", "-s", "USR1", string(sidecar))
}

// waits checks that the container goes on waiting while the sidecar answers 503.
func waits(t *testing.T, app, sidecar container, binary string) (pid string) {
	t.Helper()
	answers := sidecar.follow(t)
	harness.Until(t, "probes", func() bool { return strings.Count(answers.Stderr()+answers.Stdout(), "NOT ready") >= 5 })
	pid, file := app.executable(t)
	if file != binary {
		t.Fatalf("not waiting: it runs %s\n%s", file, app.logs(t))
	}
	return pid
}

// stopped stops the container, at once, not by SIGKILL after a minute.
func stopped(t *testing.T, c container, code string) {
	t.Helper()
	start := time.Now()
	podman(t, "stop", "-t", "60", string(c))
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("podman stop took %v", took)
	}
	if got := c.inspect(t, ".State.ExitCode"); got != code {
		t.Errorf("exit status %s, not %s\n%s", got, code, c.logs(t))
	}
}

func TestDeployment(t *testing.T) {
	needImages(t, shop, sidecar)
	play(t, "shop-pod-0", manifest(t, "deployment.yaml", true))
	app, proxy := container("shop-pod-0-shop"), container("shop-pod-0-istio-proxy")
	before := waits(t, app, proxy, "/usr/local/bin/envoy-wait")
	becomesReady(t, proxy)
	app.await(t, "app: started as PID 1\n")
	if pid, file := app.executable(t); pid != before || file != "/usr/local/bin/app" {
		t.Errorf("process %s was envoy-wait, process %s runs %s", before, pid, file)
	}
	if logs := app.logs(t); !regexp.MustCompile(`"status":200,.*"message":"ready after [^ ]*, starting \\"app\\""}`).MatchString(logs) {
		t.Error(logs)
	}
	stopped(t, app, "0") // the app's own end
	if logs := app.logs(t); !strings.Contains(logs, "app: terminated, bye\n") {
		t.Error(logs)
	}
}

// A container is stopped by its image's STOPSIGNAL: WINCH is httpd's.
func TestStoppedDuringTheWait(t *testing.T) {
	for _, test := range []struct {
		manifest                        string
		images                          func() error
		pod, app, binary, command, code string
	}{
		{"deployment.yaml", shop, "shop-pod-0", "shop", "/usr/local/bin/envoy-wait", "app", "143"},
		{"legacy-image.yaml", ours, "web-pod-0", "web", "/opt/envoy-wait/envoy-wait", "httpd-foreground", "156"},
	} {
		t.Run(test.manifest, func(t *testing.T) {
			needImages(t, test.images, sidecar)
			play(t, test.pod, manifest(t, test.manifest, true))
			app := container(test.pod + "-" + test.app)
			waits(t, app, container(test.pod+"-istio-proxy"), test.binary)
			stopped(t, app, test.code)
			if logs := app.logs(t); strings.Contains(logs, "app:") || strings.Contains(logs, "httpd:") || !strings.Contains(logs, `\"`+test.command+`\" not started`) {
				t.Error(logs)
			}
		})
	}
}

// An image that knows nothing of envoy-wait, which comes by an emptyDir.
func TestLegacyImage(t *testing.T) {
	needImages(t, ours, sidecar)
	play(t, "web-pod-0", manifest(t, "legacy-image.yaml", true))
	app, proxy := container("web-pod-0-web"), container("web-pod-0-istio-proxy")
	waits(t, app, proxy, "/opt/envoy-wait/envoy-wait")
	becomesReady(t, proxy)
	app.await(t, "httpd: started as PID 1\n")
	stopped(t, app, "0")
	if logs := app.logs(t); !strings.Contains(logs, "httpd: stopped by WINCH") {
		t.Error(logs)
	}
}

// The agent here is a script that reads Vault Agent's configuration; that it runs
// before there is a sidecar is real, that its address is excluded is not: lo has
// no redirection.
func TestVaultInit(t *testing.T) {
	needImages(t, shop, sidecar)
	play(t, "shop-pod-0", manifest(t, "vault-init.yaml", true))
	app, proxy := container("shop-pod-0-shop"), container("shop-pod-0-istio-proxy")
	waits(t, app, proxy, "/usr/local/bin/envoy-wait")
	becomesReady(t, proxy)
	app.await(t, "app: started as PID 1\n")
	if secret := podman(t, "exec", string(app), "cat", "/vault/secrets/db"); secret != "from https://10.20.30.40:8200, sidecar absent" {
		t.Errorf("the agent left %q", secret)
	}
}

// What holds this app is the mesh, which injects a hook that the kubelet waits
// for: podman has none. What can be seen is that nothing of envoy-wait is left.
func TestHoldAnnotation(t *testing.T) {
	needImages(t, shop)
	play(t, "shop-pod-0", manifest(t, "hold-annotation.yaml", false))
	app := container("shop-pod-0-shop")
	app.await(t, "app: started as PID 1\n")
	if _, file := app.executable(t); file != "/usr/local/bin/app" || strings.Contains(app.logs(t), "envoy-wait") {
		t.Errorf("%s\n%s", file, app.logs(t))
	}
	stopped(t, app, "0")
}

// Jobs are containers that run to their end, in one Pod: podman 4.3 has none.
func TestJobs(t *testing.T) {
	needImages(t, shop, sidecar)
	const fails = `"--url", "http://localhost:1/", "--timeout", "100ms", "--on-timeout", "fail", `
	jobs := []struct{ name, command, code, reason string }{
		{"succeeds", `"--", "sh", "-c", "exit 0"`, "0", "old"}, // the file is the app's to write, once it runs
		{"fails", `"--", "sh", "-c", "exit 7"`, "7", "old"},
		{"timeout", fails + `"--", "app"`, "124", "envoy-wait: not ready after "},
		{"usage", `"--timeout", "soon", "--", "app"`, "125", `envoy-wait: --timeout: "soon"`},
		{"not-executable", `"--", "/etc/passwd"`, "126", `envoy-wait: looking up "/etc/passwd": permission denied`},
		{"missing", `"--", "no-such-app"`, "127", `envoy-wait: looking up "no-such-app": not found in PATH`},
	}

	yaml := "apiVersion: v1\nkind: Pod\nmetadata:\n  name: job\nspec:\n  restartPolicy: Never\n  containers:" +
		strings.ReplaceAll(strings.ReplaceAll(injected, "\n    ", "\n"), "-1s", "100ms")
	volumes := "\n  volumes:"
	dir := t.TempDir()
	for _, job := range jobs {
		// The kubelet mounts a file, and shows what is in it.
		log := filepath.Join(dir, job.name)
		if err := os.WriteFile(log, []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(log, 0o666); err != nil {
			t.Fatal(err)
		}
		yaml += fmt.Sprintf(`
    - name: %[1]s
      image: %[2]s
      command: ["envoy-wait", %[3]s]
      volumeMounts:
        - {name: %[1]s, mountPath: /dev/termination-log}`, job.name, imageShop, job.command)
		volumes += fmt.Sprintf("\n    - {name: %s, hostPath: {path: %s, type: File}}", job.name, log)
	}
	play(t, "job", yaml+volumes+"\n")

	for _, job := range jobs {
		c := container("job-" + job.name)
		if code := c.exitCode(t); code != job.code {
			t.Errorf("%s: exit status %s, not %s\n%s", job.name, code, job.code, c.logs(t))
		}
		if reason, err := os.ReadFile(filepath.Join(dir, job.name)); err != nil || !strings.HasPrefix(string(reason), job.reason) {
			t.Errorf("%s: the termination log has %q, %v", job.name, reason, err)
		}
	}
}

// One container installs into an emptyDir while another runs what was installed
// there before.
func TestInstallIntoASharedVolume(t *testing.T) {
	needImages(t, ours, sidecar)
	const mounted = "\n      volumeMounts: [{name: shared, mountPath: /opt/envoy-wait}]"
	const installer = "\n      image: " + imageInstaller + "\n      args: [--install, /opt/envoy-wait/]\n      securityContext: {readOnlyRootFilesystem: true}"
	play(t, "shared", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: shared\nspec:\n  restartPolicy: Never\n  initContainers:\n    - name: first"+installer+mounted+
		"\n  containers:"+strings.ReplaceAll(injected, "\n    ", "\n")+
		"\n    - name: web\n      image: httpd:2.4\n      command: [/opt/envoy-wait/envoy-wait, --, httpd-foreground]"+mounted+
		"\n    - name: again\n      image: debian:12-slim\n      command: [sleep, infinity]"+mounted+
		"\n  volumes: [{name: shared, emptyDir: {}}]\n")
	web, proxy := container("shared-web"), container("shared-istio-proxy")
	pid := waits(t, web, proxy, "/opt/envoy-wait/envoy-wait")

	podman(t, "exec", "shared-again", "/opt/envoy-wait/envoy-wait", "--install", "/opt/envoy-wait")
	if _, file := web.executable(t); file != "/opt/envoy-wait/envoy-wait (deleted)" {
		t.Errorf("not replaced: it runs %s", file)
	}
	installed, err := os.ReadFile("/proc/" + pid + "/root/opt/envoy-wait/envoy-wait")
	if err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(filepath.Join(mount(t, imageToCopyFrom), "envoy-wait"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(installed, image) {
		t.Error("what is installed is not the image's file")
	}
	if names := podman(t, "exec", "shared-again", "ls", "-A", "/opt/envoy-wait"); names != "envoy-wait" {
		t.Errorf("there is %q", names)
	}
	becomesReady(t, proxy)
	web.await(t, "httpd: started as PID 1\n")
}

// Under the engine's own seccomp profile the wait, its deadline and the start are as ever.
func TestSeccomp(t *testing.T) {
	needImages(t, shop)
	r := runOnce(t, append(lockedDown, "--entrypoint", "envoy-wait", imageShop,
		"--url", "http://127.0.0.1:1/", "--timeout", "300ms", "--", "grep", "Seccomp:", "/proc/self/status")...)
	r.Want(t, 0, "Seccomp:\t2\n").Says(t, "not ready after ", `starting "grep" anyway`)
}

// Whatever an image names as its STOPSIGNAL ends the wait.
func TestStopSignals(t *testing.T) {
	needImages(t, shop)
	for _, test := range []struct {
		name, code string
	}{
		{"SIGUSR1", "138"},
		{"SIGWINCH", "156"},
		{"SIGRTMIN+3", "165"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dockerfile := filepath.Join(t.TempDir(), "Dockerfile")
			if err := os.WriteFile(dockerfile, []byte("FROM "+imageShop+"\nSTOPSIGNAL "+test.name+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			podman(t, "build", "-q", "-f", dockerfile, "-t", "stopsignal", filepath.Dir(dockerfile))
			c := start(t, "stopsignal", "stopsignal")
			c.await(t, "connection refused")
			stopped(t, c, test.code)
		})
	}
}

// The other images of the examples, each with its app started and stopped, and
// stopped during the wait.
func TestExampleImages(t *testing.T) {
	needImages(t, smallShop, tiniShop)
	for _, test := range []struct{ image, first, started string }{
		{imageSmallShop, "/envoy-wait", "app: started as PID 1\n"},
		{imageTiniShop, "/usr/bin/tini", "app: started as PID "},
	} {
		t.Run(test.image, func(t *testing.T) {
			waiting := start(t, "waiting", append(lockedDown, test.image)...)
			waiting.await(t, "connection refused")
			if _, file := waiting.executable(t); file != test.first {
				t.Errorf("PID 1 is %s", file)
			}
			stopped(t, waiting, "143")

			app := start(t, "app", append(lockedDown, "--env", "ENVOY_WAIT_DISABLED=true", test.image)...)
			app.await(t, test.started)
			stopped(t, app, "0")
			if logs := app.logs(t); !strings.Contains(logs, "app: terminated, bye\n") {
				t.Error(logs)
			}
		})
	}
}

// None of the examples may rot.
func TestEveryExampleIsRun(t *testing.T) {
	dir := filepath.Join(harness.Root(), "examples")
	for pattern, want := range map[string]string{
		"Dockerfile.*": "Dockerfile.app Dockerfile.from-distroless Dockerfile.tini",
		"kubernetes/*": "deployment.yaml hold-annotation.yaml legacy-image.yaml vault-init.yaml",
	} {
		paths, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for i, path := range paths {
			paths[i] = filepath.Base(path)
		}
		if got := strings.Join(paths, " "); got != want {
			t.Errorf("%s: there is %s, the tests here run %s", pattern, got, want)
		}
	}
}
