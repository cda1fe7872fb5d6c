package clienthello_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
)

// FuzzParse holds Parse to three things: the split into reads does not matter, the cut into records does not
// matter, and crypto/tls reads accepted hellos the same way, unless it refuses. Nothing is claimed for refused
// hellos: Parse is meant to be stricter.
func FuzzParse(f *testing.F) {
	for _, c := range flights(f) {
		if len(c.raw) < 4<<10 {
			f.Add(c.raw, uint8(100))
		}
	}
	for _, c := range accepted {
		f.Add([]byte(record(c.message)), uint8(7))
		f.Add([]byte(records(c.message, 20)), uint8(1))
	}
	for _, c := range refusedMessages {
		f.Add([]byte(record(c.message)), uint8(3))
	}
	for _, c := range refusedRecords {
		f.Add([]byte(c.raw), uint8(1))
	}
	f.Fuzz(func(t *testing.T, raw []byte, size uint8) {
		if len(raw) > 8<<10 {
			return
		}
		if fault := splitFault(raw, 1+len(raw)/64, clienthello.Limits{MaxBytes: 4 << 10}); fault != "" {
			t.Fatal(fault)
		}
		h, st := parse(raw)
		if st != clienthello.Done {
			return
		}
		if !isHostName(string(h.ServerName())) {
			t.Fatalf("%x: name %q", raw, h.ServerName())
		}
		if seen := serverSees(raw); seen != nil {
			if fault := sameAsServer(h, seen); fault != "" {
				t.Fatalf("%x: crypto/tls reads %s", raw, fault)
			}
		}
		message := ""
		for at := 0; at < h.Len; {
			n := int(raw[at+3])<<8 | int(raw[at+4])
			message += string(raw[at+5 : at+5+n])
			at += 5 + n
		}
		cut := records(message, max(1, int(size)))
		if again, st := parse([]byte(cut)); len(cut) <= clienthello.DefaultMaxBytes && (st != clienthello.Done || meaning(again) != meaning(h)) {
			t.Fatalf("%x in records of %d: %s, want %s", raw, size, describe(again, st), meaning(h))
		}
	})
}
