package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// monotonic are the uses of package time that keep the monotonic clock: a span
// between two of time.Now is right whatever happens to the wall clock. Any other
// method of time.Time (UTC, Round, Unix...) takes it away.
var monotonic = map[string]bool{
	"Now": true, "Since": true, "Until": true, "Sub": true, "Add": true, "Before": true, "After": true, "Compare": true, "IsZero": true,
}

// wallClock are the exceptions: the time in a log line.
var wallClock = map[string]bool{"log.go: UTC": true}

// All spans are of the monotonic clock. A test cannot set the wall clock, so
// this one reads what the source does with a time.Time.
func TestOnlyTheMonotonicClockMeasures(t *testing.T) {
	packages, err := exportData()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, dir := range []string{".", "probe", "exec"} {
		files := token.NewFileSet()
		var parsed []*ast.File
		for _, name := range packages[dir].GoFiles {
			file, err := parser.ParseFile(files, filepath.Join(packages[dir].Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, file)
		}
		info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
		config := types.Config{Importer: importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) })}
		if _, err := config.Check(dir, files, parsed, info); err != nil {
			t.Fatal(err)
		}
		for id, object := range info.Uses {
			if !isAboutTimes(object) {
				continue
			}
			seen++
			use := filepath.Base(files.Position(id.Pos()).Filename) + ": " + object.Name()
			if !monotonic[object.Name()] && !wallClock[use] {
				t.Errorf("%s loses the monotonic clock", files.Position(id.Pos()))
			}
		}
	}
	if seen < 10 {
		t.Errorf("%d uses of time.Time were found", seen)
	}
}

// isAboutTimes reports whether object is a method of time.Time, or a function of
// package time that takes or returns one.
func isAboutTimes(object types.Object) bool {
	f, ok := object.(*types.Func)
	if !ok || f.Pkg() == nil || f.Pkg().Path() != "time" {
		return false
	}
	signature := f.Signature()
	vars := []*types.Var{}
	if signature.Recv() != nil {
		vars = append(vars, signature.Recv())
	} else {
		for tuple := range signature.Params().Variables() {
			vars = append(vars, tuple)
		}
		for tuple := range signature.Results().Variables() {
			vars = append(vars, tuple)
		}
	}
	for _, v := range vars {
		if strings.TrimPrefix(v.Type().String(), "*") == "time.Time" {
			return true
		}
	}
	return false
}

type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// exportData returns all packages by import path, our own by directory as well.
func exportData() (map[string]listed, error) {
	out, err := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles", ".").Output()
	if err != nil {
		return nil, err
	}
	all := map[string]listed{}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all[p.ImportPath] = p
		if ours, ok := strings.CutPrefix(p.ImportPath+"/", "github.com/envoy-wait/envoy-wait/"); ok {
			all[filepath.Clean(ours)] = p
		}
	}
}
