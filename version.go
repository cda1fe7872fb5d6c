package sluice

import (
	"cmp"
	"runtime/debug"
	"sync"
)

// modulePath is what go.mod calls this module.
const modulePath = "github.com/sluice-gateway/sluice"

// version is set by the linker: -X github.com/sluice-gateway/sluice.version=v1.2.3, in programs of others, too.
var version string

// versionName is the version that sluice version, the log and the metrics show: the linker's, or else the one that
// the go command wrote into the binary, or else dev.
var versionName = sync.OnceValue(func() string {
	built, _ := debug.ReadBuildInfo()
	return cmp.Or(version, moduleVersion(built), "dev")
})

// moduleVersion is the version of this module in a binary: of the main module where `go install` built it, of a
// dependency in a program of others. It is "" where the go command knows none, as for a folder on disk.
func moduleVersion(built *debug.BuildInfo) string {
	if built == nil {
		return ""
	}
	for _, m := range append([]*debug.Module{&built.Main}, built.Deps...) {
		if m.Path != modulePath {
			continue
		}
		if m.Replace != nil {
			m = m.Replace
		}
		if m.Version != "(devel)" {
			return m.Version
		}
	}
	return ""
}
