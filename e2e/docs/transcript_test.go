//go:build linux

package docs

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/sidecar"
)

// TestTranscripts runs the commands of each block of console, and compares what
// they print. The comment before the block says what the sidecar does: a list of
// stages, from one to the next as soon as envoy-wait has told of the last.
func TestTranscripts(t *testing.T) {
	binary := harness.Binary(t)
	var writes sync.Mutex
	for _, b := range blocks(t, "console") {
		t.Run(b.name(), func(t *testing.T) {
			t.Parallel()
			got := ""
			harness.InNetwork(t, func() { got = transcript(t, binary, b) })
			if normal(got) == normal(b.Text) {
				return
			}
			if *update {
				writes.Lock()
				defer writes.Unlock()
				b.replace(t, wrap(got))
				return
			}
			t.Errorf("run make docs; got\n%s\nwant\n%s", wrap(got), b.Text)
		})
	}
}

var stages = regexp.MustCompile(`^<!-- sidecar: (.*) -->$`)

// transcript is the text on a terminal. The log is text, too.
func transcript(t *testing.T, binary string, b block) string {
	names := []string{"refused"}
	if m := stages.FindStringSubmatch(b.Before); m != nil {
		names = strings.Split(m[1], ", ")
	}
	s := &stand{t: t}
	s.play(names[0])
	defer s.close()

	// The next command may ask for the status of this one.
	script := "status=0\n"
	for line := range strings.Lines(b.Text) {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			script += fmt.Sprintf("cat <<'END'\n%sEND\n(exit $status)\n%sstatus=$?\n", line, command)
		}
	}
	cmd := exec.Command("sh", "-c", "exec 2>&1\n"+script)
	cmd.Dir = workshop(t, binary)
	cmd.Env = harness.Env("PATH="+cmd.Dir+":/usr/bin:/bin", "ENVOY_WAIT_LOG_FORMAT=text")
	p := harness.Start(t, cmd)
	for told, name := range names[1:] {
		harness.Until(t, "a line before "+name, func() bool { return len(logLine.FindAllString(p.Stdout(), -1)) > told }, p.Stdout)
		if *update {
			time.Sleep(time.Second) // for times as of a real sidecar
		}
		s.play(name)
	}
	p.Result()
	return strings.ReplaceAll(p.Stdout(), cmd.Dir, "/usr/local/bin")
}

var logLine = regexp.MustCompile(`(?m)^(envoy-wait: |\{")`)

// stand is the sidecars of one transcript.
type stand struct {
	t         *testing.T
	istio     *sidecar.Sidecar
	listeners []net.Listener
}

// play begins a stage.
func (s *stand) play(name string) {
	s.t.Helper()
	switch name {
	case "refused":
		s.close()
	case "503", "200":
		if s.istio == nil {
			s.istio = sidecar.New(false)
			l := s.listen("15020")
			go func() { _ = s.istio.Serve(l) }()
		}
		s.istio.SetReady(name == "200")
	case "linkerd": // its default: no shutdown endpoint
		l := s.listen("4191")
		go func() {
			_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/ready" {
					w.WriteHeader(http.StatusNotFound)
				}
			}))
		}()
	default:
		s.t.Errorf("got the stage %q, want one of this list", name)
	}
}

func (s *stand) listen(port string) net.Listener {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		s.t.Fatal(err)
	}
	s.listeners = append(s.listeners, l)
	return l
}

func (s *stand) close() {
	if s.istio != nil {
		s.istio.Close()
		s.istio = nil
	}
	for _, l := range s.listeners {
		_ = l.Close()
	}
	s.listeners = nil
}

// workshop is a directory with the programs of the transcripts.
func workshop(t *testing.T, binary string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"app":         "#!/bin/sh\necho app: started\n",
		"failing-app": "#!/bin/sh\necho app: started\nexit 7\n",
	} {
		harness.WriteFile(t, filepath.Join(dir, name), content, 0o755)
	}
	harness.Must(t, "ln", "-s", binary, filepath.Join(dir, "envoy-wait"))
	harness.Must(t, "ln", "-s", binary, filepath.Join(dir, "scuttle"))
	return dir
}

// varying differs from run to run.
var varying = []struct{ from, to string }{
	{`, `, `,`}, // a long line may be wrapped there
	{`"(elapsed|remaining)":[0-9.]+`, `"$1":N`},
	{`"attempts":[0-9]+`, `"attempts":N`},
	{`"time":"[^"]*"`, `"time":"N"`},
	{`after [0-9.]+(ms|s|m[0-9.]+s)`, `after N`},
}

// normal is the text in one line, without that.
func normal(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	for _, v := range varying {
		text = regexp.MustCompile(v.from).ReplaceAllString(text, v.to)
	}
	return text
}

const columns = 120 // of a transcript

// wrap breaks long lines at a space or, in JSON, behind a comma.
func wrap(text string) string {
	var wrapped strings.Builder
	for line := range strings.Lines(text) {
		for len(line) > columns+1 {
			end := strings.LastIndexAny(line[:columns], " ,") + 1
			if end < columns/2 {
				break
			}
			_, _ = io.WriteString(&wrapped, strings.TrimRight(line[:end], " ")+"\n")
			line = "  " + strings.TrimLeft(line[end:], " ")
		}
		wrapped.WriteString(line)
	}
	return wrapped.String()
}
