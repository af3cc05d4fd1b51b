//go:build linux

package docs

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// notRun are the lines of shell that these tests leave out, and why. A key is the
// beginning of a line, with its document or without.
var notRun = map[string]string{
	"kubectl ":                     "needs a cluster; TestDocumentation in e2e/kubernetes runs those of docs/kubernetes.md",
	"kind ":                        "needs a cluster",
	"make e2e-kubernetes":          "takes minutes",
	"E2E_CLUSTER=":                 "takes minutes",
	"make test":                    "runs this test",
	"git ":                         "changes the repository",
	"cosign ":                      "needs a published release",
	"  --":                         "is the rest of cosign's line",
	"gh ":                          "needs a published release",
	"sha256sum ":                   "e2e/release runs it",
	"  sha256sum ":                 "e2e/release runs this block",
	"url=":                         "e2e/release runs this block",
	"curl -fsSL --remote-name-all": "e2e/release runs this block",
	"CGO_ENABLED=0 go install ":    "e2e/release runs this block",
	"make demo":                    "TestPicture runs it",
	"make rivals":                  "needs the network",
	"make bench ":                  "takes minutes",
	"make image ":                  "TestMakeImageChoosesAnEngine in e2e/images checks it",
	"podman push ":                 "needs a registry",
}

// TestScripts runs each block of shell beside a sidecar that is ready.
func TestScripts(t *testing.T) {
	binary, ran := harness.Binary(t), 0
	exceptions := map[string]bool{}
	for _, b := range blocks(t, "sh") {
		if b.path == "docs/migrating.md" {
			continue // TestMigrating in e2e runs our lines
		}
		script := ""
		for line := range strings.Lines(b.Text) {
			if begin := exception(b.path, line); begin != "" {
				exceptions[begin] = true
			} else if !strings.HasPrefix(line, "#") {
				script += line
			}
		}
		if strings.TrimSpace(script) == "" {
			continue
		}
		ran++
		t.Run(b.name(), func(t *testing.T) {
			if strings.HasPrefix(script, "tini ") {
				harness.NeedTools(t, "tini")
			}
			harness.InNetwork(t, func() { runScript(t, binary, script) })
		})
	}
	if ran == 0 {
		t.Error("got no script, want one")
	}
	for begin := range notRun {
		if !exceptions[begin] {
			t.Errorf("got an exception for %q, want a line that begins so", begin)
		}
	}
}

// exception returns the key of notRun that is for the line, or "".
func exception(path, line string) string {
	for begin := range notRun {
		if strings.HasPrefix(line, begin) || strings.HasPrefix(path+": "+line, begin) {
			return begin
		}
	}
	return ""
}

func runScript(t *testing.T, binary, script string) {
	s := &stand{t: t}
	s.play("200")
	defer s.close()
	// The script must not install anything on this machine.
	installed := t.TempDir()
	target := regexp.MustCompile(`(\S+) (/usr/\S+)\n`)
	targets := target.FindAllStringSubmatch(script, -1)
	script = target.ReplaceAllString(script, "$1 $$DESTDIR$2\n")
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = harness.Root()
	cmd.Env = harness.Env("PATH="+workshop(t, binary)+":"+os.Getenv("PATH"), "DESTDIR="+installed)
	r := harness.Start(t, cmd).Result().WantCode(t, 0)
	switch {
	case strings.HasPrefix(script, "grep "):
		harness.WantIn(t, r.Stdout, "deploy/policy/policy.yaml", "examples/kubernetes/image-volume.yaml", "examples/Dockerfile.app")
	case strings.Contains(script, "app"):
		harness.WantIn(t, r.Stdout, "app: started\n")
	case strings.Contains(script, "install "):
		if len(targets) == 0 {
			t.Errorf("got no path below /usr, want one to replace: %s", script)
		}
		for _, m := range targets {
			if harness.ReadFile(t, filepath.Join(installed, m[2])) != harness.Source(t, m[1]) {
				t.Errorf("got another file as %s, want %s", m[2], m[1])
			}
		}
	default:
		t.Errorf("got a script with neither app nor install, want one of them to check: %s", script)
	}
}

// TestYAML parses each block of YAML.
func TestYAML(t *testing.T) {
	const python = "/usr/bin/python3" // Debian's, which has python3-yaml
	const parse = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(sys.stdin)), sys.stdout)"
	err := exec.Command(python, "-c", "import yaml").Run()
	harness.Need(t, err == nil, "needs python3-yaml")
	for _, b := range blocks(t, "yaml") {
		cmd := exec.Command(python, "-c", parse)
		cmd.Stdin = strings.NewReader(b.Text)
		var documents []map[string]any
		if err := json.Unmarshal([]byte(harness.Start(t, cmd).Result().WantCode(t, 0).Stdout), &documents); err != nil {
			t.Errorf("%s: got %v, want YAML", b.name(), err)
		}
	}
}

// TestFilters checks the fields in the filters of Cloud Logging: each is one of
// Kubernetes or of our log.
func TestFilters(t *testing.T) {
	inLog := harness.Run(t, harness.Binary(t), "--url", "http://127.0.0.1:1/", "--timeout", "1ms", "--log-format", "json").Lines(t)[0]
	fields := 0
	for _, b := range blocks(t, "text") {
		for line := range strings.Lines(b.Text) {
			for _, field := range regexp.MustCompile(`[a-zA-Z_]+(\.[a-z_]+)*(=|:|!=|>=|>)`).FindAllString(line, -1) {
				fields++
				field = strings.TrimRight(field, "=:!>")
				name, isOurs := strings.CutPrefix(field, "jsonPayload.")
				_, known := inLog[name]
				switch {
				case isOurs && (known || name == "reason"): // events have a reason
				case field == "severity", field == "timestamp", field == "resource.type", strings.HasPrefix(field, "resource.labels."):
				default:
					t.Errorf("%s: got %q, want a field of the log or of Kubernetes", b.name(), field)
				}
			}
		}
	}
	if fields < 5 {
		t.Errorf("got %d fields in the filters, want at least 5", fields)
	}
}
