package sluice_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// source is one Go file of this repository, parsed.
type source struct {
	path string // relative to the repository, with slashes
	text string
	fset *token.FileSet
	file *ast.File
}

// parseSource parses text as the file path.
func parseSource(path, text string) (*source, error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &source{path: path, text: text, fset: fset, file: file}, nil
}

// test reports whether the file is compiled only into tests.
func (s *source) test() bool { return strings.HasSuffix(s.path, "_test.go") }

// line returns the line number of pos.
func (s *source) line(pos token.Pos) int { return s.fset.Position(pos).Line }

// goSources returns every Go file of the repository, nested modules included, testdata left out.
func goSources(t *testing.T) []*source {
	t.Helper()
	var sources []*source
	walkFiles(t, func(path string) {
		if filepath.Ext(path) != ".go" {
			return
		}
		s, err := parseSource(path, readFile(t, path))
		if err != nil {
			t.Errorf("parse: %v", err)
			return
		}
		sources = append(sources, s)
	})
	if len(sources) == 0 {
		t.Fatal("no Go file found: the test does not run in the repository's root")
	}
	return sources
}

// walkFiles calls visit for each file that a person wrote.
func walkFiles(t *testing.T, visit func(path string)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			switch name := entry.Name(); {
			case path == ".", name == ".ci":
				return nil
			case strings.HasPrefix(name, "."), name == "testdata", path == "bin", path == "dist", path == "bench/results":
				return filepath.SkipDir
			}
			return nil
		}
		visit(filepath.ToSlash(path))
		return nil
	})
	if err != nil {
		t.Fatalf("walk repository: %v", err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read file: %v", err)
	}
	return string(text)
}
