package routing_test

import (
	"bytes"
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
)

func TestNormalizePath(t *testing.T) {
	const refused = "refused"
	for _, tt := range []struct{ raw, want string }{
		// Nothing to do.
		{"/", "/"},
		{"/a", "/a"},
		{"/a/b.c/", "/a/b.c/"},
		{"/.well-known/x", "/.well-known/x"},
		{"/a/..b", "/a/..b"},
		{"/a/...", "/a/..."},
		{"/a..", "/a.."},
		{"/a./b", "/a./b"},
		{"/a;x=1/b", "/a;x=1/b"},
		{`/a\b`, `/a\b`},
		{"/\xc3\xbc", "/ü"},
		{"/A", "/A"}, // paths have a case

		// Slashes.
		{"", "/"},
		{"//", "/"},
		{"///a//b//", "/a/b/"},

		// Dot segments.
		{"/.", "/"},
		{"/./", "/"},
		{"/a/.", "/a/"},
		{"/a/./b", "/a/b"},
		{"/a/..", "/"},
		{"/a/../", "/"},
		{"/a/b/..", "/a/"},
		{"/a/b/../c", "/a/c"},
		{"/a/b/../../c", "/c"},
		{"/a//..", "/"},     // merged first
		{"/a//../b", "/b"},  // so it is a that goes
		{"/a/.//b", "/a/b"}, // "." leaves an empty segment, merged too
		{"/..", refused},
		{"/../a", refused},
		{"/a/../..", refused},
		{"/a/../../a", refused},
		{"//..", refused},

		// Escapes, decoded once.
		{"/%61", "/a"},
		{"/%C3%bc", "/ü"},
		{"/a%20b", "/a b"},
		{"/a%2Fb", "/a/b"}, // a separator from here on, as in nginx
		{"/a%2f%2Fb", "/a/b"},
		{"/%2e%2E/a", refused},
		{"/a/%2e%2e/b", "/b"},
		{"/a/.%2e/b", "/b"},
		{"/a%2f..%2fb", "/b"},
		{"/public%2F..%2Fprivate", "/private"},
		{"/a%3Fb%23c", "/a?b#c"},
		{"/%252e%252e/", "/%2e%2e/"}, // decoded once
		{"/%0a", "/\n"},
		{"/%", refused},
		{"/%1", refused},
		{"/%zz", refused},
		{"/%1g", refused},
		{"/%g1", refused},
		{"/%00", refused},
		{"/a%2", refused},
		{"/%%61", refused},

		// Not a path.
		{"*", refused},
		{"a", refused},
		{"http://h/", refused},
		{"%2Fa", refused},
		{"/a?b", refused},
		{"/a#b", refused},
		{"/a b", refused},
		{"/a\tb", refused},
		{"/a\x00", refused},
		{"/a\x7f", refused},
		{"/%61 ", refused},
		{"//a\r\n", refused},
	} {
		got := refused
		if b, ok := routing.NormalizePath(nil, []byte(tt.raw)); ok {
			got = string(b)
		}
		if got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.raw, got, tt.want)
		}
		if slow, ok := slowPath(tt.raw); ok != (tt.want != refused) || ok && slow != tt.want {
			t.Errorf("%q: the slow implementation says %q %v", tt.raw, slow, ok)
		}
	}
}

// FuzzNormalizePath compares with slowPath and checks what a caller relies on.
func FuzzNormalizePath(f *testing.F) {
	for _, s := range []string{"/", "", "/a/b", "/a//b/../c/.", "/%2e%2E%2f..", "/a%00", "/.well-known", "/a/b/%2F%2e/..%2F../x/"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		before := bytes.Clone(raw)
		dst := make([]byte, 0, len(raw)+1)
		got, ok := routing.NormalizePath(dst, raw)
		if !bytes.Equal(raw, before) {
			t.Fatalf("%q was changed to %q", before, raw)
		}
		want, wantOK := slowPath(string(raw))
		if ok != wantOK || ok && string(got) != want {
			t.Fatalf("%q: got %q %v, the slow implementation says %q %v", raw, got, ok, want, wantOK)
		}
		if !ok {
			return
		}
		if got[0] != '/' || len(got) > max(1, len(raw)) {
			t.Fatalf("%q: got %q", raw, got)
		}
		if slashed := string(got) + "/"; strings.Contains(string(got), "//") || strings.Contains(slashed, "/./") || strings.Contains(slashed, "/../") {
			t.Fatalf("%q: got %q, which is not normal", raw, got)
		}
		if same := len(raw) > 0 && &got[0] == &raw[0]; bytes.Equal(raw, got) != same {
			t.Fatalf("%q: got %q, its own memory: %v", raw, got, same)
		} else if !same && &got[0] != &dst[:1][0] {
			t.Fatalf("%q: allocated", raw)
		}
		// The result is normal, unless it has bytes that only escapes can bring in.
		if bytes.IndexFunc(got, func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune("%?#", r) }) < 0 {
			if again, ok := routing.NormalizePath(nil, got); !ok || !bytes.Equal(again, got) {
				t.Fatalf("%q: got %q, and from that %q %v", raw, got, again, ok)
			}
		}
	})
}

// slowPath is NormalizePath from the standard library's parts.
func slowPath(raw string) (string, bool) {
	if raw == "" {
		return "/", true
	}
	if strings.IndexFunc(raw, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '?' || r == '#' }) >= 0 {
		return "", false
	}
	decoded, err := url.PathUnescape(raw)
	if err != nil || raw[0] != '/' || strings.Contains(decoded, "\x00") {
		return "", false
	}
	depth := 0
	last := ""
	for last = range strings.SplitSeq(decoded, "/") {
		switch last {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return "", false
			}
		default:
			depth++
		}
	}
	clean := path.Clean(decoded)
	if clean != "/" && (last == "" || last == "." || last == "..") {
		clean += "/"
	}
	return clean, true
}
