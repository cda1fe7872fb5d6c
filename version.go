package sluice

import (
	"cmp"
	"runtime/debug"
	"sync"
)

// modulePath is the module's name in go.mod.
const modulePath = "github.com/sluice-gateway/sluice"

// version is set by the linker: -X github.com/sluice-gateway/sluice.version=v1.2.3, in other programs too.
var version string

// versionName is the version in sluice version, the log and the metrics: the linker's, else the one that the go
// command wrote into the binary, else dev.
var versionName = sync.OnceValue(func() string {
	built, _ := debug.ReadBuildInfo()
	return cmp.Or(version, moduleVersion(built), "dev")
})

// moduleVersion is the version of this module in a binary: of the main module where `go install` built it, of a
// dependency in another program. It is "" where the go command knows none, as for a folder on disk.
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
