package access

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// sealer makes text of what only the gateway may read or make, for cookies: XChaCha20-Poly1305, whose nonces may be random. Each
// text is for one purpose. Immutable; made by newSealer.
type sealer struct{ keys []cipher.AEAD } // the first one seals

// minKey bounds a key from below, in bytes.
const minKey = 32

// newSealer makes a sealer of keys, of which each may open and the first seals, for what is called name.
func newSealer(name string, keys ...[]byte) (*sealer, error) {
	s := &sealer{}
	for _, key := range keys {
		if len(key) == 0 && len(s.keys) > 0 {
			continue
		}
		if len(key) < minKey {
			return nil, errors.New("the key is too short")
		}
		derived, err := hkdf.Key(sha256.New, key, nil, "sluice "+name, chacha20poly1305.KeySize)
		if err != nil {
			return nil, err
		}
		aead, err := chacha20poly1305.NewX(derived)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, aead)
	}
	return s, nil
}

// seal returns text of letters, digits, hyphens and underscores.
func (s *sealer) seal(purpose string, plain []byte) string {
	b := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(s.keys[0].Seal(b, b, plain, []byte(purpose)))
}

// open returns what text was made of, nil for text that was not made here for the purpose. old is true where it was sealed with a
// key that seals no more.
func (s *sealer) open(purpose string, text []byte) (plain []byte, old bool) {
	b := make([]byte, base64.RawURLEncoding.DecodedLen(len(text)))
	n, err := base64.RawURLEncoding.Strict().Decode(b, text)
	if b = b[:n]; err != nil || n < chacha20poly1305.NonceSizeX {
		return nil, false
	}
	for i, key := range s.keys {
		if plain, err := key.Open([]byte{}, b[:chacha20poly1305.NonceSizeX], b[chacha20poly1305.NonceSizeX:], []byte(purpose)); err == nil {
			return plain, i > 0
		}
	}
	return nil, false
}
