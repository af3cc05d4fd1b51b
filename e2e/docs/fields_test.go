//go:build linux

package docs

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The log has the fields of the table in docs/troubleshooting.md, and no other.
func TestLogFields(t *testing.T) {
	_, section, _ := strings.Cut(harness.Source(t, "docs/troubleshooting.md"), "### Fields of the JSON log\n")
	section, _, _ = strings.Cut(section, "\n#")
	want := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range strings.Split(row[1], ", ") {
			want[strings.Trim(name, "`")] = true
		}
	}

	port := harness.NewPort(t)
	s := port.Sidecar(false)
	t.Cleanup(s.Close)
	got := map[string]bool{}
	for _, args := range [][]string{
		{"--url", port.URL(), "--timeout", "300ms", "--on-timeout", "fail", "--", "true"},
		{"--url", port.URL(), "--url", "tcp://127.0.0.1:1", "--timeout", "300ms", "--", "true"},
		{"--url", "tcp://127.0.0.1:1", "--timeout", "300ms", "--", "true"},
		{"--disabled", "--quit-url", "http://127.0.0.1:1/", "--", "true"},
		{"--disabled", "--quit-url", "http://127.0.0.1:1/", "--quit-on", "success", "--", "false"},
		{"--timeout", "60"},
	} {
		cmd := exec.Command(harness.Binary(t), append([]string{"--log-format", "json", "--log-level", "debug"}, args...)...)
		cmd.Env = harness.Env()
		for _, fields := range harness.Start(t, cmd).Result().Lines(t) {
			for name := range fields {
				got[name] = true
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %q in the log, want the fields of the table, %q", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}
