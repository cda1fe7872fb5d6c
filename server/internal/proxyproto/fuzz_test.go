package proxyproto_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/proxyproto"
)

// FuzzParse holds Parse to three things: the split does not matter, the invariants of a Header, and
// that a second implementation accepts the same headers and reads the same from them.
func FuzzParse(f *testing.F) {
	for _, c := range accepted {
		f.Add([]byte(c.raw))
	}
	for _, c := range refused {
		f.Add([]byte(c.raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 8<<10 {
			return
		}
		if len(raw) < 512 {
			if fault := splitFault(raw); fault != "" {
				t.Fatal(fault)
			}
		}
		compare(t, raw)
		// Few inputs have the right checksum: give it to them.
		if h, _, st := proxyproto.Parse(raw); st == proxyproto.Done && !h.Local {
			h.Checksum = true
			compare(t, proxyproto.AppendV2(nil, &h))
		}
	})
}

func compare(t *testing.T, raw []byte) {
	t.Helper()
	h, n, st := proxyproto.Parse(raw)
	want, wantN, ok := reference(raw)
	if ok != (st == proxyproto.Done) {
		t.Fatalf("%q: got %v; the reference accepts: %v", raw, st, ok)
	}
	if !ok {
		return
	}
	if n != wantN || !same(&h, &want) {
		t.Fatalf("%q:\n got %s\nwant %s", raw, describe(h, n, st), describe(want, wantN, st))
	}
	checkAccepted(t, raw, h, n)
}

func TestReference(t *testing.T) {
	for _, c := range accepted {
		compare(t, []byte(c.raw))
	}
	for _, c := range refused {
		compare(t, []byte(c.raw))
	}
}
