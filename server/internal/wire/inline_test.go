package wire_test

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestInlining asks the compiler about the small functions that others call per read, per write or per request across the
// border of the package: as calls they would cost more than what they do.
func TestInlining(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command")
	}
	out, err := exec.Command(goTool, "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	inlined := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)can inline (\S+)$`).FindAllSubmatch(out, -1) {
		inlined[string(m[1])] = true
	}
	for _, name := range []string{
		"(*Buffer).Len", "(*Buffer).Bytes", "(*Pool).Release", "(*Pool).count", "Reuse",
		"(*Sock).Note", "(*Sock).Held", "(*Sock).Pending", "(*Sock).Plain", "NewSock",
		"(*Stream).Held", "(*Stream).Gather", "(*Stream).Store", "(*Output).FlushLater", "(*Output).Unsent",
		"(*WaitTimer).Restart", "(*WaitTimer).Rest", "(*Janitor).Wake",
	} {
		if !inlined[name] {
			t.Errorf("%s is not inlined", name)
		}
	}
}
