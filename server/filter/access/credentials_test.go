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

// FuzzSession: no text opens but one that was sealed for the same purpose, and that gives what was sealed.
func FuzzSession(f *testing.F) {
	key := bytes.Repeat([]byte("k"), minKey)
	s, err := newSealer("test", key)
	if err != nil {
		f.Fatal(err)
	}
	// By the key above; constant, because fuzzing has several processes.
	const sealed = "fdIXUMDuYTuLRjScITBB4aqbiz3gx-E9Eni3guQDVZdyk253-utXdOo3"
	if plain, _ := s.open("a", []byte(sealed)); string(plain) != "{}" {
		f.Fatalf("what was sealed opens as %q", plain)
	}
	f.Add("a", sealed)
	f.Add("b", sealed)
	f.Add("a", sealed[:len(sealed)-1])
	f.Add("a", "")
	f.Fuzz(func(t *testing.T, purpose, text string) {
		plain, old := s.open(purpose, []byte(text))
		if plain != nil && (purpose != "a" || text != sealed || string(plain) != "{}") || old {
			t.Errorf("%q opens for %q: %q", text, purpose, plain)
		}
	})
}
