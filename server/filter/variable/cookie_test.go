package variable

import (
	"bytes"
	"strings"
	"testing"
)

// plainly is parameter as it would be written without a thought for memory.
func plainly(list, name string, exactly bool) (string, bool) {
	for _, part := range strings.Split(list, ";") {
		key, value, ok := strings.Cut(strings.Trim(part, " \t"), "=")
		if ok && (key == name || !exactly && foldASCII(key) == foldASCII(name)) {
			return value, true
		}
	}
	return "", false
}

func foldASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// all is how cookie looks through the parts of one field.
func all(list []byte, name string, exactly bool) (value []byte, ok bool) {
	for {
		if list, value, ok = nextParameter(list, ';', name, exactly); ok || list == nil {
			return value, ok
		}
	}
}

// FuzzCookies: whatever a client writes, its cookies are those that a plain reading finds.
func FuzzCookies(f *testing.F) {
	for _, list := range []string{"", ";", "a=b", " a = b ;a=c", "A=1;a=2", "a;a=;b", "a==;", "\x00=\xff;a=b=c", strings.Repeat(";", 100) + "a=1"} {
		f.Add([]byte(list), "a")
	}
	f.Fuzz(func(t *testing.T, list []byte, name string) {
		if strings.ContainsAny(name, "=;") || strings.TrimSpace(name) != name || name == "" || !isASCII(name) || !isASCII(string(list)) {
			return
		}
		for _, exactly := range []bool{false, true} {
			got, ok := all(list, name, exactly)
			if want, found := plainly(string(list), name, exactly); found != ok || want != string(got) {
				t.Errorf("%q of %q, exactly %v: got %q %v, want %q %v", name, list, exactly, got, ok, want, found)
			}
		}
		if got, ok := parameter(list, ';', name); ok && !bytes.Contains(list, got) {
			t.Errorf("%q of %q: got %q", name, list, got)
		}
	})
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 })
}
