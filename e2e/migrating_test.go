//go:build linux

package e2e

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
	"github.com/envoy-wait/envoy-wait/e2e/markdown"
)

// Each block "After" of docs/migrating.md starts the app when its endpoints are there, and not before. It tells the
// sidecars to quit that it names.
func TestMigrating(t *testing.T) {
	harness.NeedRoot(t)
	harness.NeedTools(t, "sh", "unshare", "mount")
	bin := t.TempDir()
	for _, name := range []string{"envoy-wait", "scuttle"} {
		harness.Must(t, "ln", "-s", harness.Binary(t), filepath.Join(bin, name))
	}
	harness.WriteFile(t, filepath.Join(bin, "app"), "#!/bin/sh\necho started\n", 0o755)
	ran := 0
	for _, block := range markdown.Blocks(harness.Source(t, "docs/migrating.md")) {
		if strings.HasPrefix(block.Before, "After") {
			ran++
			t.Run(block.Text, func(t *testing.T) { harness.InNetwork(t, func() { runAfter(t, bin, block.Text) }) })
		}
	}
	if ran < 8 {
		t.Errorf("got %d blocks behind a line \"After …\", want at least 8", ran)
	}
}

func runAfter(t *testing.T, bin, script string) {
	cmd := exec.Command("unshare", "--mount", "--propagation=private", "sh", "-ec",
		"mount -t tmpfs tmpfs /run; mkdir /run/secrets; echo x >/run/secrets/db\n"+script)
	cmd.Env = append(harness.Env(), "PATH="+bin+":"+os.Getenv("PATH"))
	p := harness.Start(t, cmd)
	p.Await("waiting for ")
	harness.Want(t, "stdout before anything listens", p.Stdout(), "")
	posts := &posts{}
	for _, port := range []string{"15020", "15021", "15000", "4191", "6379"} {
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = l.Close() }()
		go func() { _ = http.Serve(l, posts) }()
	}
	want := ""
	if m := quitURL.FindStringSubmatch(script); m != nil {
		want = m[1]
	} else if strings.Contains(script, "ISTIO_QUIT_API") {
		want = "127.0.0.1:15020/quitquitquit"
	} else if strings.Contains(script, "linkerd") {
		want = "localhost:4191/shutdown"
	} else if strings.Contains(script, "--quit") {
		want = "localhost:15020/quitquitquit"
	}
	p.Result().Want(t, 0, strings.Repeat("started\n", strings.Count(script, "\n")))
	harness.Want(t, "requests to quit", posts.String(), want)
}

var quitURL = regexp.MustCompile(`--quit-url http://(\S+)`)

// posts answers 200 to all requests, and remembers the POSTs.
type posts struct {
	mu   sync.Mutex
	urls []string
}

func (p *posts) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if r.Method == http.MethodPost {
		p.urls = append(p.urls, fmt.Sprint(r.Host, r.URL.Path))
	}
}

func (p *posts) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.urls, " ")
}
