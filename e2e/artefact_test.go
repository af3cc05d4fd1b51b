//go:build linux

package e2e

import (
	"bytes"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envoy-wait/envoy-wait/e2e/harness"
)

// The file that is released: static, and the same wherever it is built.
func TestArtefact(t *testing.T) {
	binary := harness.Binary(t)
	file, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, program := range file.Progs {
		if program.Type == elf.PT_INTERP || program.Type == elf.PT_DYNAMIC {
			t.Errorf("not static: it has a segment %v", program.Type)
		}
	}
	content, err := os.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(harness.Root())
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(content, []byte(root)) {
		t.Error("it holds a path of this machine")
	}
}

func TestBuildIsReproducible(t *testing.T) {
	version := strings.TrimSuffix(strings.TrimPrefix(run(t, "--version").Stdout, "envoy-wait "), "\n")
	elsewhere := filepath.Join(t.TempDir(), "elsewhere")
	if err := os.CopyFS(elsewhere, os.DirFS(harness.Root())); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("make", "-s", "-C", elsewhere, "build", "VERSION="+version)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	first, err := os.ReadFile(harness.Binary(t))
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(filepath.Join(elsewhere, "bin", "envoy-wait"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("two builds of version %s differ: %d and %d bytes", version, len(first), len(second))
	}
}
