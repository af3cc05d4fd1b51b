//go:build linux

package images

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The images under the names that the examples use.
const (
	imageToCopyFrom = "ghcr.io/envoy-wait/envoy-wait:" + imageVersion
	imageDistroless = imageToCopyFrom + "-distroless"
	imageShop       = "registry.example.com/shop:1.0"
	imageSmallShop  = "small-shop"
	imageTiniShop   = "tini-shop"
)

// The variables of make image.
const (
	imageVersion  = "0.9.0" // as in README and examples
	imageRevision = "0123456789abcdef0123456789abcdef01234567"
	imageCreated  = "2026-11-24T01:02:03Z"
)

// once runs steps of a build for the first test that needs them, and returns their error
// to all.
func once(steps ...func() error) func() error {
	return sync.OnceValue(func() error {
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
}

func command(name string, args ...string) error {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s %q: %w\n%s", name, args, err, out)
	}
	return nil
}

var (
	bases = once(copySources, func() error { return command("testdata/bases.sh", filepath.Join(storage, "tmp")) })

	ours = once(bases, func() error {
		flags, err := buildFlags()
		if err != nil {
			return err
		}
		return command("make", "-C", sources(), "image-distroless", "ENGINE=podman", "VERSION=v"+imageVersion,
			"REVISION="+imageRevision, "CREATED="+imageCreated, "IMAGE_FLAGS="+strings.Join(flags, " "))
	})

	shop      = once(ours, example("Dockerfile.app", imageShop))
	smallShop = once(ours, example("Dockerfile.from-distroless", imageSmallShop))
	tiniShop  = once(ours, example("Dockerfile.tini", imageTiniShop))
)

// example builds a Dockerfile of the examples as its first lines say.
func example(dockerfile, image string) func() error {
	return func() error {
		flags, err := buildFlags()
		if err != nil {
			return err
		}
		dir := filepath.Join(sources(), "examples")
		args := append([]string{"build", "-f", filepath.Join(dir, dockerfile), "-t", image}, flags...)
		return command("podman", append(args, dir)...)
	}
}

// sources is the folder of the build context.
func sources() string { return filepath.Join(storage, "src") }

// copySources copies the sources without the digests that make pin writes: a stand-in
// for a base has another digest.
func copySources() error {
	return command("sh", "-ec", `mkdir "$2" && cd "$1"
		cp -r .dockerignore Dockerfile Dockerfile.distroless Makefile examples exec go.mod go.sum internal main.go probe "$2"
		sed -i -E 's/@sha256:[0-9a-f]{64}//' "$2"/Dockerfile* "$2"/examples/Dockerfile.*`, "sh", harness.Root(), sources())
}

// buildFlags give a build this machine's Go, its cache and its downloaded modules, so
// that it needs no network.
func buildFlags() ([]string, error) {
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE", "GOCACHE").Output()
	if err != nil {
		return nil, err
	}
	dirs := strings.Fields(string(out))
	return []string{
		"--network=none",
		"--volume=" + dirs[0] + ":/usr/local/go:ro",
		"--volume=" + dirs[1] + "/cache/download:/modules:ro",
		"--volume=" + dirs[2] + ":/cache",
		"--build-arg=GOPROXY=file:///modules",
	}, nil
}

// needImages sets up podman, and runs the steps of a build.
func needImages(t *testing.T, steps ...func() error) {
	t.Helper()
	needPodman(t)
	for _, step := range steps {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
}
