package access

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"
)

// FuzzCredentials: what is taken is what a decoder of RFC 7617 makes of it, and is never longer than its room.
func FuzzCredentials(f *testing.F) {
	f.Add([]byte("Basic YTpi"))
	f.Add([]byte("bAsIc   YTpiYw=="))
	f.Add([]byte("Basic ===="))
	f.Fuzz(func(t *testing.T, field []byte) {
		var room [32]byte
		both := credentials(room[:], field)
		if both == nil {
			return
		}
		token := bytes.TrimRight(bytes.TrimLeft(field[len("Basic "):], " "), "=")
		want, err := base64.RawStdEncoding.DecodeString(string(token))
		if err != nil || !bytes.Equal(both, want) {
			t.Errorf("%q gives %q, want %q, %v", field, both, want, err)
		}
	})
}

// FuzzCookie: a cookie is the first of its name between semicolons, and nothing else.
func FuzzCookie(f *testing.F) {
	f.Add("a=b; token=x; c")
	f.Add("token=; token=x")
	f.Add(" ;;token=a=b;xtoken=c;token")
	f.Fuzz(func(t *testing.T, field string) {
		var want []byte
		for part := range strings.SplitSeq(field, ";") {
			if value, ok := strings.CutPrefix(strings.Trim(part, " \t"), "token="); ok {
				want = []byte(value)
				break
			}
		}
		if got := cookieIn([]byte(field), "token"); !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%q gives %q, want %q", field, got, want)
		}
	})
}

// FuzzBearer: a token is what stands behind the scheme.
func FuzzBearer(f *testing.F) {
	f.Add([]byte("Bearer a.b.c"))
	f.Add([]byte("bearer   "))
	f.Fuzz(func(t *testing.T, field []byte) {
		if token := bearerOf(field); token != nil && (!bytes.HasSuffix(field, token) || len(token) > 0 && token[0] == ' ' || !strings.EqualFold(string(field[:7]), "bearer ")) {
			t.Errorf("%q gives %q", field, token)
		}
	})
}
