//go:build linux

package kubernetes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The names that the examples and Istio use.
const (
	imageEnvoyWait = "ghcr.io/envoy-wait/envoy-wait:0.9.0"
	imageShop      = "registry.example.com/shop:1.0"
	// An app on our own distroless image, which has a file /envoy-wait.
	imageDistroless = "registry.example.com/on-distroless:1.0"
	imagePause      = "registry.k8s.io/pause:3.10.1"
	imageProxy      = "docker.io/istio/proxyv2:e2e"
)

const searchPath = "/usr/local/bin:/usr/sbin:/usr/bin:/bin"

// image is one that is made here, since there is no registry: one layer.
type image struct {
	name   string
	files  map[string]string // path in the image → file of this machine
	links  map[string]string // path in the image → target
	config config
}

// config is that of an OCI image.
type config struct {
	User       string   `json:",omitempty"`
	Entrypoint []string `json:",omitempty"`
	Cmd        []string `json:",omitempty"`
	Env        []string `json:",omitempty"`
	StopSignal string   `json:",omitempty"`
}

// writeImages writes an archive for each image, such as "ctr images import", "kind
// load image-archive" and "docker load" read, and returns the paths.
func writeImages() ([]string, error) {
	images, err := allImages()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(programs, "images")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var archives []string
	for _, image := range images {
		archive := filepath.Join(dir, regexp.MustCompile(`[^a-z0-9.]+`).ReplaceAllString(image.name, "-")+".tar")
		if err := image.write(archive); err != nil {
			return nil, fmt.Errorf("%s: %w", image.name, err)
		}
		archives = append(archives, archive)
	}
	return archives, nil
}

func allImages() ([]image, error) {
	for name, dir := range map[string]string{"app": "examples/app", "envoy": "e2e/kubernetes/envoy"} {
		build := exec.Command("go", "build", "-o", filepath.Join(programs, name), "./"+dir)
		build.Dir, build.Env = harness.Root(), append(os.Environ(), "CGO_ENABLED=0")
		if err := run(build); err != nil {
			return nil, err
		}
	}
	iptables, err := iptablesFiles()
	if err != nil {
		return nil, err
	}
	binary := filepath.Join(harness.Root(), "bin", "envoy-wait")
	env := []string{"PATH=" + searchPath}
	stopped := func(name, signal string) image {
		return image{name: "registry.example.com/" + name + ":1.0", files: map[string]string{"/envoy-wait": binary},
			config: config{Entrypoint: []string{"/envoy-wait", "--", "/envoy-wait"}, StopSignal: signal}}
	}
	return []image{
		{name: imagePause, files: map[string]string{"/catatonit": tool("catatonit")}, config: config{Entrypoint: []string{"/catatonit", "-P"}}},
		{name: imageEnvoyWait, files: map[string]string{"/envoy-wait": binary}, config: config{User: "65532:65532", Entrypoint: []string{"/envoy-wait"}}},
		{name: imageDistroless, files: map[string]string{"/envoy-wait": binary, "/app": programs + "/app"},
			config: config{User: "65532:65532", Entrypoint: []string{"/envoy-wait", "--"}, Cmd: []string{"/app"}}},
		// What examples/Dockerfile.app makes, on busybox.
		withBusybox(image{name: imageShop,
			files:  map[string]string{"/usr/local/bin/envoy-wait": binary, "/usr/local/bin/app": programs + "/app"},
			config: config{User: "1000:1000", Entrypoint: []string{"envoy-wait", "--", "app"}, Env: env}}),
		withBusybox(image{name: "docker.io/library/httpd:2.4", files: map[string]string{"/usr/local/bin/httpd-foreground": "testdata/httpd-foreground"},
			config: config{Cmd: []string{"httpd-foreground"}, Env: env, StopSignal: "SIGWINCH"}}),
		withBusybox(image{name: "docker.io/hashicorp/vault:1.20", files: map[string]string{"/usr/local/bin/vault": "testdata/vault"},
			config: config{Entrypoint: []string{"vault"}, Cmd: []string{"server", "-dev"}, Env: env}}),
		withBusybox(image{name: "registry.example.com/report:1.0",
			files:  map[string]string{"/usr/local/bin/envoy-wait": binary, "/usr/local/bin/report": "testdata/report"},
			config: config{User: "1000:1000", Entrypoint: []string{"report"}, Env: env}}),
		withBusybox(image{name: imageProxy, files: merge(iptables, map[string]string{
			"/usr/local/bin/pilot-agent": programs + "/pilot-agent", "/usr/local/bin/envoy": programs + "/envoy",
			"/var/lib/istio/envoy/envoy_bootstrap_tmpl.json": programs + "/envoy_bootstrap.json"}),
			links: iptablesLinks(), config: config{Entrypoint: []string{"/usr/local/bin/pilot-agent"}, Env: env}}),
		{name: "docker.io/envoyproxy/envoy:v1.36.2", files: map[string]string{"/usr/local/bin/envoy": programs + "/envoy"},
			config: config{Entrypoint: []string{"/usr/local/bin/envoy"}, Env: env}},
		stopped("stopped-by-usr1", "SIGUSR1"), stopped("stopped-by-winch", "SIGWINCH"), stopped("stopped-by-rtmin3", "SIGRTMIN+3"),
	}, nil
}

func tool(name string) string {
	file, _ := exec.LookPath(name) // whatIsMissing has looked
	return file
}

func merge(all ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, one := range all {
		maps.Copy(merged, one)
	}
	return merged
}

// withBusybox adds a shell and its tools.
func withBusybox(i image) image {
	i.files = merge(i.files, map[string]string{"/bin/busybox": tool("busybox")})
	links := map[string]string{}
	for _, name := range []string{"sh", "cat", "grep", "httpd", "kill", "ls", "nc", "pidof", "sed", "sleep", "true", "wget"} {
		links["/bin/"+name] = "busybox"
	}
	i.links = merge(i.links, links)
	return i
}

// iptablesFiles are Debian's, for istio-init: the program, the libraries that ldd
// names, and the extensions.
func iptablesFiles() (map[string]string, error) {
	program, err := filepath.EvalSymlinks(tool("iptables"))
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		return nil, fmt.Errorf("ldd %s: %w", program, err)
	}
	extensions, err := filepath.Glob("/usr/lib/*/xtables/*.so")
	if err != nil || len(extensions) == 0 {
		return nil, errors.Join(err, errors.New("no /usr/lib/*/xtables: needs Debian's package iptables"))
	}
	files := map[string]string{"/usr/sbin/xtables-multi": program}
	for _, file := range append(extensions, regexp.MustCompile(`/\S+`).FindAllString(string(out), -1)...) {
		files[file] = file
	}
	return files, nil
}

func iptablesLinks() map[string]string {
	links := map[string]string{}
	for _, family := range []string{"iptables", "ip6tables"} {
		for _, suffix := range []string{"", "-save", "-restore"} {
			links["/usr/sbin/"+family+suffix] = "xtables-multi"
		}
	}
	return links
}

// write writes the image as a docker-archive.
func (i image) write(archive string) error {
	layer, err := i.layer()
	if err != nil {
		return err
	}
	type object = map[string]any
	description, err := json.Marshal(object{
		"architecture": runtime.GOARCH, "os": "linux", "config": i.config,
		"rootfs": object{"type": "layers", "diff_ids": []string{"sha256:" + digest(layer)}},
	})
	if err != nil {
		return err
	}
	name := digest(description) + ".json"
	manifest, err := json.Marshal([]object{{"Config": name, "RepoTags": []string{i.name}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, file := range []struct {
		name    string
		content []byte
	}{{"layer.tar", layer}, {name, description}, {"manifest.json", manifest}} {
		if err := add(w, tar.Header{Name: file.name, Mode: 0o644}, file.content); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), os.WriteFile(archive, b.Bytes(), 0o644))
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

func (i image) layer() ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	dirs := map[string]bool{"/": true}
	var parents func(string) error
	parents = func(dir string) error {
		if dirs[dir] {
			return nil
		}
		dirs[dir] = true
		if err := parents(path.Dir(dir)); err != nil {
			return err
		}
		return w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir[1:] + "/", Mode: 0o755})
	}
	for _, name := range slices.Sorted(maps.Keys(i.files)) {
		content, err := os.ReadFile(i.files[name])
		if err == nil {
			err = errors.Join(parents(path.Dir(name)), add(w, tar.Header{Name: name[1:], Mode: 0o755}, content))
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(i.links)) {
		err := errors.Join(parents(path.Dir(name)),
			w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name[1:], Linkname: i.links[name], Mode: 0o777}))
		if err != nil {
			return nil, err
		}
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

func add(w *tar.Writer, header tar.Header, content []byte) error {
	header.Typeflag, header.Size = tar.TypeReg, int64(len(content))
	if err := w.WriteHeader(&header); err != nil {
		return err
	}
	_, err := io.Copy(w, bytes.NewReader(content))
	return err
}
