package access

import (
	"bytes"
	"encoding/base64"
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
