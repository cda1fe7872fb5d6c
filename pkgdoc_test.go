package sluice_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// TestPackageComments: every package has exactly one package comment, and a reader knows where it is.
func TestPackageComments(t *testing.T) {
	for _, problem := range packageCommentProblems(goSources(t)) {
		t.Error(problem)
	}
}

// packageCommentProblems groups files by folder and names the package that breaks the rule: the comment
// is in doc.go, or in main.go where that is the only file of a command. It begins as go doc expects it.
func packageCommentProblems(sources []*source) []string {
	folders := map[string][]*source{}
	for _, s := range sources {
		if !s.test() {
			folder := path.Dir(s.path)
			folders[folder] = append(folders[folder], s)
		}
	}
	var problems []string
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		var commented []string
		for _, s := range folders[folder] {
			// A build constraint and a "Code generated" line are detached by an empty line and are no
			// part of Doc.
			if s.file.Doc == nil {
				continue
			}
			name := path.Base(s.path)
			commented = append(commented, name)
			alone := name == "main.go" && s.file.Name.Name == "main" && len(folders[folder]) == 1
			if name != "doc.go" && !alone {
				problems = append(problems, fmt.Sprintf("%s: the package comment belongs into doc.go; if this is about the file, put an empty line below it", s.path))
			}
			text := s.file.Doc.Text()
			if pkg := s.file.Name.Name; pkg != "main" && !strings.HasPrefix(text, "Package "+pkg+" ") {
				problems = append(problems, fmt.Sprintf("%s: the package comment begins with %q", s.path, "Package "+pkg))
			} else if pkg == "main" && !strings.HasPrefix(text, "Command ") {
				problems = append(problems, fmt.Sprintf("%s: the package comment begins with %q", s.path, "Command"))
			}
		}
		if len(commented) != 1 {
			problems = append(problems, fmt.Sprintf("%s: %d package comments %v, want one", folder, len(commented), commented))
		}
	}
	return problems
}

func TestPackageCommentProblems(t *testing.T) {
	rows := []struct {
		name  string
		files string // path, then text, separated by lines of ---
		want  int
	}{
		{"in doc.go", "a/doc.go\n// Package a is.\npackage a", 0},
		{"none", "a/a.go\npackage a", 1},
		{"elsewhere", "a/a.go\n// Package a is.\npackage a", 1},
		{"two", "a/doc.go\n// Package a is.\npackage a\n---\na/b.go\n// Package a is.\npackage a", 2}, // wrong place, and two
		{"detached comment is none", "a/doc.go\n// Package a is.\npackage a\n---\na/b.go\n// About the file.\n\npackage a", 0},
		{"test files do not count", "a/doc.go\n// Package a is.\npackage a\n---\na/b_test.go\n// x\npackage a", 0},
		{"wrong first words", "a/doc.go\n// A is.\npackage a", 1},
		{"small command", "a/main.go\n// Command a does.\npackage main", 0},
		{"large command", "a/main.go\n// Command a does.\npackage main\n---\na/b.go\npackage main", 1},
	}
	for _, row := range rows {
		var sources []*source
		for text := range strings.SplitSeq(row.files, "\n---\n") {
			name, code, _ := strings.Cut(text, "\n")
			s, err := parseSource(name, code)
			if err != nil {
				t.Fatalf("%s: %v", row.name, err)
			}
			sources = append(sources, s)
		}
		if got := packageCommentProblems(sources); len(got) != row.want {
			t.Errorf("%s: %q, want %d", row.name, got, row.want)
		}
	}
}
