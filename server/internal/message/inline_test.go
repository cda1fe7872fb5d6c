package message_test

import (
	"os/exec"
	"regexp"
	"testing"
)

// TestInlining asks the compiler about what the codecs' hot loops rely on: a call there spills
// every variable of the loop.
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
		"UnsafeLoad", "NameStops", "ValueStops", "TargetStops", "nameSlot", "IsToken", "IsPlain", "Lower", "SpanOf", "Span.Of",
		"Span.Len", "FieldSet.Has", "(*Response).BodyKind", "(*Head).Line", "(*Head).Has",
	} {
		if !inlined[name] {
			t.Errorf("%s is not inlined", name)
		}
	}
}
