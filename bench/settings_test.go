package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

func testSettings() Settings {
	return Settings{
		Threads: 1, MaxConns: 1000, MaxFiles: 2000, Dir: "/run/bench/1", Files: "/run/bench/files", Host: benchHost,
		Listen: "127.0.0.1:18001", Backend: "127.0.0.1:18000", BackendAddr: "127.0.0.1", BackendPort: 18000,
		Metrics: "127.0.0.1:18002", Admin: "127.0.0.1:18003",
	}
}

// Every peer's configuration renders, leaves no blank behind, and points at the origin and the listener.
func TestTemplatesRender(t *testing.T) {
	names, err := fs.Glob(files, "peers/*.tmpl")
	if err != nil || len(names) == 0 {
		t.Fatalf("no templates: %v", err)
	}
	for _, name := range names {
		text, err := renderTemplate(name, testSettings())
		if err != nil {
			t.Error(err)
			continue
		}
		for _, bad := range []string{"<no value>", "{{", `""; #`} {
			if strings.Contains(string(text), bad) {
				t.Errorf("%s has %q left in it", name, bad)
			}
		}
		if !strings.Contains(string(text), "18000") && !strings.Contains(string(text), "18001") {
			t.Errorf("%s names neither origin nor listener", name)
		}
		if !strings.Contains(name, ".yaml") {
			continue
		}
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			var v map[string]any
			if err := yaml.UnmarshalStrict([]byte(doc), &v); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	for _, p := range append(peers("bin/sluice"), backend) {
		for from := range p.Templates {
			if _, err := fs.Stat(files, from); err != nil {
				t.Errorf("%s: %v", p.Name, err)
			}
		}
	}
}

func TestReuseportOnlyForSeveralWorkers(t *testing.T) {
	s := testSettings()
	for threads, want := range map[int]bool{1: false, 2: true} {
		s.Threads = threads
		text, err := renderTemplate("peers/nginx.conf.tmpl", s)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(text), " reuseport;"); got != want {
			t.Errorf("reuseport with %d workers: %v", threads, got)
		}
	}
}

func TestRouteTable(t *testing.T) {
	dir := t.TempDir()
	table := routeTable(5005)
	if err := table.writeManifests(dir); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil || len(names) != 2 {
		t.Fatalf("%d files, want 2: %v", len(names), err)
	}
	routes := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(strings.TrimPrefix(string(text), "---\n"), "---\n") {
			var in struct {
				Spec struct {
					Rules []struct {
						Host string
						HTTP struct{ Paths []struct{ Path string } }
					}
				}
			}
			if err := yaml.Unmarshal([]byte(doc), &in); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			for _, r := range in.Spec.Rules {
				for _, p := range r.HTTP.Paths {
					routes[r.Host+" "+p.Path] = true
				}
			}
		}
	}
	if len(routes) != int(table) {
		t.Errorf("%d different Routes, want %d", len(routes), table)
	}

	targets := filepath.Join(dir, "targets")
	if err := table.writeTargets(targets); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(targets)
	if err != nil {
		t.Fatal(err)
	}
	hit := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		route, _, ok := strings.Cut(line, "/items/")
		if !ok || !routes[route] {
			t.Fatalf("target %q is no Route of the table", line)
		}
		hit[route] = true
	}
	if len(hit) != int(table) {
		t.Errorf("targets hit %d of %d Routes", len(hit), table)
	}
}
