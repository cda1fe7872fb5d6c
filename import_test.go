package sluice_test

import (
	"flag"
	"log"
	"math"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"

	_ "github.com/sluice-gateway/sluice"
)

// imported is the process once package sluice and all that it imports are initialised, and before anything here
// is: variables are initialised in the order of the files' names.
var imported = observe()

// process is the state that an import could have changed.
type process struct {
	flags       []string
	goroutines  string // their stacks, "" where there is one
	processors  int    // GOMAXPROCS
	standard    int    // the runtime's number for the machine and the cgroup
	memory      int64  // limit
	pipeIgnored bool
	logToStderr bool
}

func observe() process {
	p := process{
		processors: runtime.GOMAXPROCS(0), memory: debug.SetMemoryLimit(-1),
		pipeIgnored: signal.Ignored(syscall.SIGPIPE), logToStderr: log.Writer() == os.Stderr,
	}
	flag.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") {
			p.flags = append(p.flags, f.Name)
		}
	})
	if runtime.NumGoroutine() > 1 {
		stacks := make([]byte, 64<<10)
		p.goroutines = string(stacks[:runtime.Stack(stacks, true)])
	}
	runtime.SetDefaultGOMAXPROCS()
	p.standard = runtime.GOMAXPROCS(p.processors)
	return p
}

// TestImportChangesNothing: a program that imports this package is its own until it calls Main. signal.Notify
// would show as a goroutine.
func TestImportChangesNothing(t *testing.T) {
	if len(imported.flags) > 0 {
		t.Errorf("flags are defined: %v", imported.flags)
	}
	if imported.goroutines != "" {
		t.Errorf("goroutines are started:\n%s", imported.goroutines)
	}
	if os.Getenv("GOMAXPROCS") == "" && imported.processors != imported.standard {
		t.Errorf("GOMAXPROCS is %d, and without us %d", imported.processors, imported.standard)
	}
	if os.Getenv("GOMEMLIMIT") == "" && imported.memory != math.MaxInt64 {
		t.Errorf("the memory limit is %d", imported.memory)
	}
	if imported.pipeIgnored {
		t.Error("SIGPIPE is ignored")
	}
	if !imported.logToStderr {
		t.Error("package log does not write to stderr any more")
	}
}
