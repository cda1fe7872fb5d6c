package annotation

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/policy"
)

func init() {
	const set, plus, remove = "response-headers-set", "response-headers-add", "response-headers-remove"
	examples = append(examples, []example{
		{set, "X-A: 1", "X-A: 1"},
		{set, "\n X-A: 1\r\n\n  X-B:two words \nx-a: 3\n", "X-B: two words\nx-a: 3"},
		{set, "X-A:", "X-A: "},
		{set, "Strict-Transport-Security: max-age=1", "Strict-Transport-Security: max-age=1"},
		{set, "", ""},
		{set, "X-A", refused},
		{set, "X A: 1", refused},
		{set, ": 1", refused},
		{set, "X-A: a\rb", refused},
		{set, "X-A: a\x00b", refused},
		{set, "X-A: 1\nContent-Length: 5", refused},
		{set, "transfer_encoding: chunked", refused},
		{set, "Connection: close", refused},
		{set, "Keep-Alive: 5", refused},
		{set, "Upgrade: h2c", refused},
		{set, "Trailer: X-A", refused},
		{set, "X-Forwarded-For: 1.2.3.4", refused},
		{set, strings.Repeat("X-A: 1\n", maxReplyFields+1), refused},
		{set, "X-A: " + strings.Repeat("a", maxFieldText), refused},
		{plus, "Link: </a>\nLink: </b>", "Link: </a>\nLink: </b>"},
		{plus, "TE: trailers", refused},
		{remove, "X-Powered-By, X-Two,", "X-Powered-By,X-Two"},
		{remove, "", ""},
		{remove, "Content-Length", refused},
		{remove, "X A", refused},
		{remove, strings.Repeat("a,", maxReplyFields+1), refused},
		{"security-headers", "true", true},
		{"security-headers", "false", false},
		{"security-headers", "on", refused},
		{"content-security-policy", "default-src 'self'; img-src *", "default-src 'self'; img-src *"},
		{"content-security-policy", "default-src 'self'\nX: y", refused},
		{"content-security-policy", "", refused},
		{"permissions-policy", "camera=()", "camera=()"},
		{"permissions-policy", " camera=()", refused},
		{"frame-options", "DENY", "DENY"},
		{"frame-options", "ALLOW-FROM x", refused},
		{"referrer-policy", "no-referrer", "no-referrer"},
		{"referrer-policy", "never", refused},
	}...)
}

// TestFieldsTogether: all edits stand in one Filter, and those that are written out win.
func TestFieldsTogether(t *testing.T) {
	s := Parse(map[string]string{
		OwnPrefix + "security-headers": "true", OwnPrefix + "frame-options": "DENY", OwnPrefix + "referrer-policy": "origin",
		OwnPrefix + "response-headers-set": "Referrer-policy: no-referrer", OwnPrefix + "response-headers-remove": "X-Powered-By", OwnPrefix + "response-headers-add": "X-A: 1",
	}, func(name, _, reason string) { t.Error(name, reason) })
	want := []string{"response-fields remove X-Powered-By set X-Frame-Options: DENY set Referrer-policy: no-referrer add X-A: 1 " +
		"default X-Content-Type-Options: nosniff default X-Frame-Options: SAMEORIGIN default Referrer-Policy: strict-origin-when-cross-origin"}
	if got := slices.Collect(s.Policy.Lines()); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

// FuzzFields: what is read can stand in a head, line by line, and reads as itself again.
func FuzzFields(f *testing.F) {
	for _, e := range examples {
		if strings.HasPrefix(e.key, "response-headers-") {
			f.Add(e.value)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseFields(text)
		if err != nil {
			return
		}
		for _, field := range list {
			if policy.ValidField(field.Name, field.Value) != nil || strings.ContainsAny(field.Name+field.Value, "\r\n\x00") {
				t.Errorf("%q gives %q", text, field)
			}
		}
		if again, err := parseFields(fieldText(list)); err != nil || !slices.Equal(again, list) {
			t.Errorf("%q gives %q and then %q, %v", text, list, again, err)
		}
	})
}
