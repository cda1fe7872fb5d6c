package message_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// TestSplitAuthority: RFC 3986 section 3.2, without user information.
func TestSplitAuthority(t *testing.T) {
	for _, c := range []struct {
		authority, host, port string
		ok                    bool
	}{
		{"test.com", "test.com", "", true},
		{"test.com:8080", "test.com", "8080", true},
		{"test.com:", "test.com", "", true}, // section 3.2.3
		{"10.0.0.1:1", "10.0.0.1", "1", true},
		{"[::1]:65535", "[::1]", "65535", true},
		{"[::1]", "[::1]", "", true},
		{"a%2eb", "a%2eb", "", true},
		{"a_b!$&'()*+,;=~", "a_b!$&'()*+,;=~", "", true},
		{authority: ""},
		{authority: ":80"},
		{authority: "a:65536"},
		{authority: "a:123456"},
		{authority: "a:8x"},
		{authority: "a:80:80"},
		{authority: "u@a"},
		{authority: "a/b"},
		{authority: "a b"},
		{authority: "a%2"},
		{authority: "a%zz"},
		{authority: "[]"},
		{authority: "[::1"},
		{authority: "[::1]a"},
		{authority: "[g::1]"},
	} {
		b := []byte(c.authority)
		host, port, ok := message.SplitAuthority(b, message.SpanOf(0, len(b)))
		if ok != c.ok || ok && (string(host.Of(b)) != c.host || string(port.Of(b)) != c.port) {
			t.Errorf("%q: got %q, %q, %v", c.authority, host.Of(b), port.Of(b), ok)
		}
	}
}

func TestSameAuthority(t *testing.T) {
	for _, c := range []struct {
		a, b        string
		https       bool
		same, valid bool
	}{
		{"test.com", "TEST.com", false, true, true},
		{"test.com", "test.com:80", false, true, true},
		{"test.com", "test.com:443", true, true, true},
		{"test.com", "test.com:443", false, false, true},
		{"test.com:8080", "test.com", false, false, true},
		{"test.com", "test.org", false, false, true},
		{"test.com", "u@test.com", false, false, false},
	} {
		raw := []byte(c.a + c.b)
		r := message.Request{Authority: message.SpanOf(0, len(c.a)), TLSScheme: c.https}
		if !r.SetAuthority(raw) {
			t.Fatalf("%q is refused", c.a)
		}
		if same, valid := r.SameAuthority(raw, message.SpanOf(len(c.a), len(raw))); same != c.same || valid != c.valid {
			t.Errorf("%q and %q: got %v, %v", c.a, c.b, same, valid)
		}
	}
}

func TestParseLength(t *testing.T) {
	for _, c := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"007", 7, true}, {"9223372036854775807", 1<<63 - 1, true},
		{"", 0, false}, {"-1", 0, false}, {"+1", 0, false}, {"1 ", 0, false}, {"0x1", 0, false},
		{"9223372036854775808", 0, false}, {"18446744073709551616", 0, false}, {"00000000000000000000", 0, false},
	} {
		if n, ok := message.ParseLength([]byte(c.in)); ok != c.ok || ok && n != c.want {
			t.Errorf("%q: got %d, %v", c.in, n, ok)
		}
	}
}
