package sluice

import (
	"runtime/debug"
	"testing"
)

func TestModuleVersion(t *testing.T) {
	own := func(version string) debug.Module { return debug.Module{Path: modulePath, Version: version} }
	dependency := own("v1.3.0")
	replaced := own("v1.3.0")
	replaced.Replace = &debug.Module{Path: "example.com/fork", Version: "v1.3.1"}
	folder := own("v1.3.0")
	folder.Replace = &debug.Module{Path: "../sluice"}
	other := debug.Module{Path: "example.com/gateway", Version: "v7.0.0"}
	tests := []struct {
		name  string
		built *debug.BuildInfo
		want  string
	}{
		{"built without modules", nil, ""},
		{"go install", &debug.BuildInfo{Main: own("v1.2.3")}, "v1.2.3"},
		{"go test, go run", &debug.BuildInfo{Main: own("(devel)")}, ""},
		{"a program of others", &debug.BuildInfo{Main: other, Deps: []*debug.Module{{Path: "example.com/x", Version: "v9.0.0"}, &dependency}}, "v1.3.0"},
		{"a fork", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&replaced}}, "v1.3.1"},
		{"a folder", &debug.BuildInfo{Main: other, Deps: []*debug.Module{&folder}}, ""},
		{"another program", &debug.BuildInfo{Main: other}, ""},
	}
	for _, test := range tests {
		if got := moduleVersion(test.built); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}
