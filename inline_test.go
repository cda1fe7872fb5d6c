package sluice_test

import (
	"os/exec"
	"regexp"
	"slices"
	"testing"
)

// inlined are the small functions of the request path that the compiler has to inline, by package: as calls they would cost
// more than what they do, and in the hot loops of the codecs a call spills every variable of the loop.
var inlined = map[string][]string{
	"./routing": {
		"(*Host).key", "(*Snapshot).Backend", "(*Store).Load", "endsSegment", "startsDotSegment", "unhex",
	},
	"./server/internal/exchange": { // what its sides ask, in each of their events
		"(*Core).ClientSide", "(*Core).RequestDone", "(*Core).KeepAlive", "(*Core).Tunnels", "(*Core).Upgrades",
		"(*Core).LastOfConnection", "(*Core).OverHTTP2", "(*Core).BackendTLS", "(*Core).MustDial", "(*Core).RequestBytes",
		"(*Core).Outgoing", "(*Core).TakeEarly", "(*Core).ExpectResponse", "(*Core).view",
	},
	"./server/internal/h1": {
		"(*Chunked).takeData", "fault",
	},
	"./server/internal/message": {
		"UnsafeLoad", "NameStops", "ValueStops", "TargetStops", "nameSlot", "IsToken", "IsPlain", "Lower", "SpanOf", "Span.Of",
		"Span.Len", "FieldSet.Has", "(*Response).BodyKind", "(*Head).Line", "(*Head).Has",
	},
	"./upstream": { // for each Endpoint of a Backend whose requests have keys
		"mix",
	},
	"./server/internal/wire": {
		"(*Buffer).Len", "(*Buffer).Bytes", "(*Pool).Release", "(*Pool).count", "Reuse",
		"(*Sock).Note", "(*Sock).Held", "(*Sock).Pending", "(*Sock).Plain", "NewSock",
		"(*Stream).Held", "(*Stream).Gather", "(*Stream).Store", "(*Output).FlushLater", "(*Output).Unsent",
		"(*WaitTimer).Restart", "(*WaitTimer).Rest", "(*Janitor).Wake",
	},
}

// TestInlining asks the compiler.
func TestInlining(t *testing.T) {
	can := regexp.MustCompile(`(?m)can inline (\S+)$`)
	for pkg, names := range inlined {
		out, err := exec.Command("go", "build", "-gcflags=-m", pkg).CombinedOutput()
		if err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
		var found []string
		for _, m := range can.FindAllStringSubmatch(string(out), -1) {
			found = append(found, m[1])
		}
		for _, name := range names {
			if !slices.Contains(found, name) {
				t.Errorf("%s: %s is not inlined", pkg, name)
			}
		}
	}
}
