//go:build linux

package kubernetes

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// TestDocumentation runs the commands of docs/kubernetes.md: how to adopt the
// policy, and how to leave it.
func TestDocumentation(t *testing.T) {
	needPolicy(t)
	n := namedNamespace(t, "shop")
	n.apply(plain("Deployment", selector, "", plainApp))
	first := pods.await(n, "plain", "as it is", func(o object) bool { return !wrapped(o) }).Metadata.Name

	text := harness.ReadFile(t, filepath.Join(harness.Root(), "docs", "kubernetes.md"))
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1)
	harness.Want(t, "blocks of commands", len(blocks), 2)
	for i, block := range blocks {
		for line := range strings.Lines(block[1]) {
			args := strings.Fields(line)
			if strings.Contains(line, "delete") {
				args = append(args, "--dry-run=server") // other tests use it
			}
			// kubectl refuses a second restart within the same second.
			harness.Until(t, line, func() bool {
				cmd := kubectlCommand(args[1:]...)
				cmd.Dir = harness.Root()
				return harness.Start(t, cmd).Result().Code == 0
			})
		}
		pods.await(n, "plain", "started anew", func(o object) bool {
			return o.Metadata.Name != first && wrapped(o) == (i == 0) && running("app")(o)
		})
	}
}

func wrapped(pod object) bool {
	command := pod.Spec.Containers[0].Command
	return len(command) > 0 && command[0] == "/envoy-wait.io/envoy-wait"
}
