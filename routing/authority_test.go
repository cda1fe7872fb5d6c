package routing_test

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestNormalizeHost(t *testing.T) {
	const refused = "refused"
	long := strings.Repeat("a.", 126) + "a" // 253 bytes
	for _, tt := range []struct{ raw, want string }{
		{"example.com", "example.com"},
		{"EXAMPLE.com", "example.com"},
		{"example.com:8080", "example.com"},
		{"example.com.", "example.com"},
		{"Example.com.:80", "example.com"},
		{"example.com:", "example.com"}, // RFC 3986: port = *DIGIT
		{"localhost", "localhost"},
		{"a_b-c~d.e", "a_b-c~d.e"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"127.0.0.1:80", "127.0.0.1"},
		{long, long},
		{long + ".:65535", long},

		{"", refused},
		{".", refused},
		{":80", refused},
		{".:80", refused},
		{"a..b", refused},
		{".a", refused},
		{"a..", refused},
		{"a" + long, refused},
		{"a:80:80", refused},
		{"a:x", refused},
		{"a:-1", refused},
		{"a:+80", refused},
		{"a:65536", refused},
		{"a:99999999999999999999", refused},
		{"a b", refused},
		{" a", refused},
		{"a\t", refused},
		{"a\x00b", refused},
		{"user@a", refused},
		{"user:80@a", refused},
		{"a/b", refused},
		{`a\b`, refused},
		{"a%41", refused},
		{"a?b", refused},
		{"a#b", refused},
		{"a,b", refused},
		{"*.a", refused},
		{"bücher.example", refused},

		{"[::1]", "[::1]"},
		{"[::1]:80", "[::1]"},
		{"[2001:DB8::A]:8080", "[2001:db8::a]"},
		{"[::ffff:10.0.0.1]", "[::ffff:10.0.0.1]"},
		{"::1", refused},
		{"[]", refused},
		{"[::1", refused},
		{"[::1]a", refused},
		{"[::1]:x", refused},
		{"[::1].", refused},
		{"[fe80::1%25eth0]", refused},
		{"[fe80::1%eth0]", refused},
		{"[v1.a]", refused},
		{"[1.2.3.4]", refused},
		{"[" + strings.Repeat(":", 100) + "]", refused},
	} {
		got := refused
		if b, ok := routing.NormalizeHost(nil, []byte(tt.raw)); ok {
			got = string(b)
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.raw, got, tt.want)
		}
		if slow, ok := slowHost(tt.raw); ok != (tt.want != refused) || ok && slow != tt.want {
			t.Errorf("%q: the slow implementation says %q %v", tt.raw, slow, ok)
		}
	}
}

// FuzzNormalizeHost compares with slowHost and checks what a caller relies on.
func FuzzNormalizeHost(f *testing.F) {
	for _, s := range []string{"a.example", "A.Example.:80", "[::1]:80", "[2001:DB8::1]", "a..b", "a@b", ":80", "a:65536", "a,b"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		dst := make([]byte, 0, len(raw)+1)
		got, ok := routing.NormalizeHost(dst, raw)
		if !bytes.Equal(raw, before) {
			t.Fatalf("%q was changed to %q", before, raw)
		}
		want, wantOK := slowHost(string(raw))
		if ok != wantOK || ok && string(got) != want {
			t.Fatalf("%q: got %q %v, the slow implementation says %q %v", raw, got, ok, want, wantOK)
		}
		if !ok {
			return
		}
		if same := &got[0] == &raw[0]; bytes.HasPrefix(raw, got) != same || !same && &got[0] != &dst[:1][0] {
			t.Fatalf("%q: got %q, its own memory: %v", raw, got, same)
		}
		if again, ok := routing.NormalizeHost(nil, got); !ok || !bytes.Equal(again, got) {
			t.Fatalf("%q: got %q, and from that %q %v", raw, got, again, ok)
		}
	})
}

var (
	dnsAuthority  = regexp.MustCompile(`\A([0-9A-Za-z_~-]+(?:\.[0-9A-Za-z_~-]+)*)\.?(?::([0-9]*))?\z`)
	ipv6Authority = regexp.MustCompile(`\A(\[[0-9A-Fa-f:.]{0,45}\])(?::([0-9]*))?\z`)
)

// slowHost is NormalizeHost from regular expressions.
func slowHost(raw string) (string, bool) {
	m := dnsAuthority.FindStringSubmatch(raw)
	if m == nil {
		m = ipv6Authority.FindStringSubmatch(raw)
		if m == nil || strings.Count(m[1], ":") < 2 {
			return "", false
		}
	}
	if port := strings.TrimLeft(m[2], "0"); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", false
		}
	}
	return strings.ToLower(m[1]), len(m[1]) <= 253
}
