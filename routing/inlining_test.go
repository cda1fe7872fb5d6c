package routing_test

import (
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// TestInlining has the compiler inline the smallest functions of the request path.
func TestInlining(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the package")
	}
	out, err := exec.Command("go", "build", "-gcflags=-m", ".").CombinedOutput()
	if err != nil {
		t.Fatalf("compile package: %v\n%s", err, out)
	}
	var inlined []string
	for _, m := range regexp.MustCompile(`can inline (\S+)`).FindAllStringSubmatch(string(out), -1) {
		inlined = append(inlined, m[1])
	}
	for _, want := range []string{
		"(*Host).key", "(*Snapshot).Backend", "(*Store).Load", "endsSegment", "startsDotSegment", "unhex",
	} {
		if !slices.Contains(inlined, want) {
			t.Errorf("%s is not inlined", want)
		}
	}
}
