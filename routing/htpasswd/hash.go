package htpasswd

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// MaxPassword bounds the bytes of a password: the cost of a hash grows with them.
const MaxPassword = 256

// Bounds of what one verification may cost, well below a second.
const (
	maxCost   = 13
	maxRounds = 500_000
)

// Hash is that of one password, ready to verify passwords with. Immutable.
type Hash struct {
	// digest makes the text or bytes to compare with want; nil for bcrypt, which compares by itself.
	digest func(password []byte) []byte
	want   []byte
}

// Format prints a Hash as its name, whatever the verb.
func (Hash) Format(to fmt.State, _ rune) { _, _ = io.WriteString(to, "Hash of a password") }

var (
	errForm = errors.New("no hash of a password in a form that is taken")
	errCost = errors.New("a hash of a password that costs too much to verify")
)

// Valid reports whether Parse takes a hash.
func Valid(text string) bool {
	_, err := Parse(text)
	return err == nil
}

// Parse reads a hash.
func Parse(text string) (Hash, error) {
	for _, f := range forms {
		if rest, ok := strings.CutPrefix(text, f.prefix); ok {
			return f.parse(text, rest)
		}
	}
	return parseDES(text)
}

// parseDES reads a hash of traditional crypt, which has no prefix.
func parseDES(text string) (Hash, error) {
	const salt, length = 2, 13
	if len(text) != length || !only(text, alphabet) {
		return Hash{}, errForm
	}
	return Hash{func(password []byte) []byte { return desCrypt(password, text[:salt]) }, []byte(text[salt:])}, nil
}

// forms are told apart by how they begin.
var forms = []struct {
	prefix string
	parse  func(text, rest string) (Hash, error)
}{
	{"$2a$", parseBcrypt}, {"$2b$", parseBcrypt}, {"$2y$", parseBcrypt},
	{"$apr1$", parseMD5("$apr1$")}, {"$1$", parseMD5("$1$")},
	{"$5$", parseSHA(sha256.New, order256)}, {"$6$", parseSHA(sha512.New, order512)},
	{"{SHA}", parseSHA1}, {"{SSHA}", parseSHA1},
	{"{PLAIN}", func(_, rest string) (Hash, error) {
		return Hash{func(password []byte) []byte { return password }, []byte(rest)}, nil
	}},
}

// Verify reports whether a password is the one of the hash. What it takes does not depend on where the two differ.
func (h Hash) Verify(password []byte) bool {
	if len(h.want) == 0 && h.digest == nil || len(password) > MaxPassword || bytes.IndexByte(password, 0) >= 0 {
		return false
	}
	if h.digest == nil {
		return bcrypt.CompareHashAndPassword(h.want, password) == nil
	}
	// Neither does it depend on their lengths.
	got, want := sha256.Sum256(h.digest(password)), sha256.Sum256(h.want)
	return subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func parseBcrypt(text, _ string) (Hash, error) {
	const length = 60
	cost, err := bcrypt.Cost([]byte(text))
	if err != nil || len(text) != length || text[6] != '$' || !only(text[7:], "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") {
		return Hash{}, errForm
	}
	if cost > maxCost {
		return Hash{}, errCost
	}
	return Hash{want: []byte(text)}, nil
}

func parseSHA1(text, rest string) (Hash, error) {
	sum, err := base64.StdEncoding.DecodeString(rest)
	salted := strings.HasPrefix(text, "{SSHA}")
	if err != nil || len(sum) < sha1.Size || !salted && len(sum) != sha1.Size {
		return Hash{}, errForm
	}
	sum, salt := sum[:sha1.Size], sum[sha1.Size:]
	return Hash{func(password []byte) []byte {
		h := sha1.New()
		h.Write(password)
		h.Write(salt)
		return h.Sum(nil)
	}, sum}, nil
}

func parseMD5(magic string) func(text, rest string) (Hash, error) {
	const maxSalt, length = 8, 22
	return func(_, rest string) (Hash, error) {
		salt, sum, ok := strings.Cut(rest, "$")
		if !ok || len(salt) > maxSalt || len(sum) != length || !only(sum, alphabet) {
			return Hash{}, errForm
		}
		return Hash{func(password []byte) []byte { return md5Crypt(magic, password, []byte(salt)) }, []byte(sum)}, nil
	}
}

func parseSHA(new func() hash.Hash, order []byte) func(text, rest string) (Hash, error) {
	const maxSalt, standard, minRounds = 16, 5000, 1000
	length := (new().Size()*8 + 5) / 6
	return func(_, rest string) (Hash, error) {
		rounds := standard
		if number, after, ok := strings.Cut(rest, "$"); ok && strings.HasPrefix(number, "rounds=") {
			n, err := strconv.ParseUint(strings.TrimPrefix(number, "rounds="), 10, 32)
			if err != nil || n < minRounds {
				return Hash{}, errForm
			}
			if n > maxRounds {
				return Hash{}, errCost
			}
			rounds, rest = int(n), after
		}
		salt, sum, ok := strings.Cut(rest, "$")
		if !ok || len(salt) > maxSalt || len(sum) != length || !only(sum, alphabet) {
			return Hash{}, errForm
		}
		return Hash{func(password []byte) []byte { return shaCrypt(new, order, password, []byte(salt), rounds) }, []byte(sum)}, nil
	}
}

func only(s, set string) bool { return strings.Trim(s, set) == "" }

// md5Crypt is what FreeBSD's crypt made of MD5, and Apache with another magic.
func md5Crypt(magic string, password, salt []byte) []byte {
	outer, inner := md5.New(), md5.New()
	inner.Write(password)
	inner.Write(salt)
	inner.Write(password)
	mixed := inner.Sum(nil)
	outer.Write(password)
	outer.Write([]byte(magic))
	outer.Write(salt)
	for n := len(password); n > 0; n -= len(mixed) {
		outer.Write(mixed[:min(n, len(mixed))])
	}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			outer.Write([]byte{0})
		} else {
			outer.Write(password[:1])
		}
	}
	const rounds = 1000
	return encode(stretch(outer, outer.Sum(nil), password, salt, rounds), orderMD5)
}

// shaCrypt is U. Drepper's scheme, "Unix crypt using SHA-256 and SHA-512".
func shaCrypt(new func() hash.Hash, order, password, salt []byte, rounds int) []byte {
	outer, inner := new(), new()
	inner.Write(password)
	inner.Write(salt)
	inner.Write(password)
	mixed := inner.Sum(nil)
	outer.Write(password)
	outer.Write(salt)
	for n := len(password); n > 0; n -= len(mixed) {
		outer.Write(mixed[:min(n, len(mixed))])
	}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			outer.Write(mixed)
		} else {
			outer.Write(password)
		}
	}
	sum := outer.Sum(nil)
	p := repeated(inner, password, len(password))
	s := repeated(inner, salt, 16+int(sum[0]))
	return encode(stretch(outer, sum, p, s, rounds), order)
}

// repeated returns the digest of text written a number of times, drawn out to the length of text.
func repeated(h hash.Hash, text []byte, times int) []byte {
	h.Reset()
	for range times {
		h.Write(text)
	}
	digest := h.Sum(nil)
	out := bytes.Repeat(digest, len(text)/len(digest)+1)
	return out[:len(text)]
}

// stretch hashes sum again and again, with password and salt in between.
func stretch(h hash.Hash, sum, password, salt []byte, rounds int) []byte {
	for i := range rounds {
		h.Reset()
		first, last := sum, password
		if i&1 != 0 {
			first, last = password, sum
		}
		h.Write(first)
		if i%3 != 0 {
			h.Write(salt)
		}
		if i%7 != 0 {
			h.Write(password)
		}
		h.Write(last)
		sum = h.Sum(sum[:0])
	}
	return sum
}

const alphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// The orders in which bytes of a digest are encoded, three to a group of four characters, the lowest bits first.
var (
	orderMD5 = []byte{0, 6, 12, 1, 7, 13, 2, 8, 14, 3, 9, 15, 4, 10, 5, 11}
	order256 = []byte{
		0, 10, 20, 21, 1, 11, 12, 22, 2, 3, 13, 23, 24, 4, 14, 15, 25, 5, 6, 16, 26, 27, 7, 17, 18, 28, 8, 9, 19, 29, 31, 30,
	}
	order512 = []byte{
		0, 21, 42, 22, 43, 1, 44, 2, 23, 3, 24, 45, 25, 46, 4, 47, 5, 26, 6, 27, 48, 28, 49, 7, 50, 8, 29, 9, 30, 51, 31, 52, 10,
		53, 11, 32, 12, 33, 54, 34, 55, 13, 56, 14, 35, 15, 36, 57, 37, 58, 16, 59, 17, 38, 18, 39, 60, 40, 61, 19, 62, 20, 41, 63,
	}
)

// encode writes a digest in the alphabet of crypt.
func encode(sum, order []byte) (out []byte) {
	for len(order) > 0 {
		n := min(3, len(order))
		var bits uint32
		for _, at := range order[:n] {
			bits = bits<<8 | uint32(sum[at])
		}
		order = order[n:]
		for range n + 1 {
			out = append(out, alphabet[bits&63])
			bits >>= 6
		}
	}
	return out
}
