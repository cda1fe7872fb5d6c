package reply

import (
	"bytes"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// FuzzCookies: whatever a Backend sets, no byte of it is lost but those that are replaced, the cookie's own name and value stay,
// and no line can end in it that did not end before.
func FuzzCookies(f *testing.F) {
	for _, s := range []string{"a=1", "a=1; Path=/in/x; HttpOnly", "a=1;domain=.in.test;path=/in/;path=/in/", "; Path=/in/", ";;=;", "a=\"; Path=/in/\"", "path=/in/", "a; path =\t/in/ ;"} {
		f.Add(s)
	}
	change := &cookies{domain: policy.Change{From: "in.test", To: "out.test"}, path: policy.Change{From: "/in/", To: "/out/"}}
	f.Fuzz(func(t *testing.T, value string) {
		out, changed := change.ChangeField([]byte("before"), []byte(value))
		if !changed {
			return
		}
		out = out[len("before"):]
		before, _, _ := bytes.Cut([]byte(value), []byte(";"))
		after, _, _ := bytes.Cut(out, []byte(";"))
		if !bytes.Equal(before, after) || bytes.Count(out, []byte(";")) != bytes.Count([]byte(value), []byte(";")) ||
			bytes.Count(out, []byte("\n")) != bytes.Count([]byte(value), []byte("\n")) || bytes.Equal(out, []byte(value)) {
			t.Errorf("%q became %q", value, out)
		}
	})
}

// TestChangesDoNotAllocate: a field is changed in memory that the loop has.
func TestChangesDoNotAllocate(t *testing.T) {
	cookie := &cookies{domain: policy.Change{From: "in.test", To: "out.test"}, path: policy.Change{From: "/in/", To: "/out/"}}
	location := &refresh{prefix{"http://in.test/", "https://out.test/"}}
	memory := make([]byte, 0, 256)
	for _, value := range []string{"a=1; Path=/in/x; Domain=.in.test; HttpOnly", "a=1", "5; url=http://in.test/x"} {
		value := []byte(value)
		if n := testing.AllocsPerRun(100, func() {
			cookie.ChangeField(memory, value)
			location.ChangeField(memory, value)
			location.prefix.ChangeField(memory, value)
		}); n != 0 {
			t.Errorf("%s: %v allocations", value, n)
		}
	}
}
