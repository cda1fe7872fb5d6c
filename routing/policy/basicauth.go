package policy

import (
	"slices"
	"strconv"
	"strings"
)

// KindBasicAuth is the Kind of BasicAuth.
const KindBasicAuth Kind = "basic-auth"

// BasicAuth asks for a name and a password (nginx.ingress.kubernetes.io/auth-type).
type BasicAuth struct {
	Realm string
	// Secret is where Users come from, as namespace/name.
	Secret string
	Users  Users
	// Open are the beginnings of the paths of Routes that ask nobody; nil for those that certificate authorities ask for.
	Open []string
}

// Kind implements Filter.
func (*BasicAuth) Kind() Kind { return KindBasicAuth }

// Equal implements Filter.
func (b *BasicAuth) Equal(f Filter) bool {
	o := f.(*BasicAuth)
	return b.Realm == o.Realm && b.Secret == o.Secret && b.Users.Equal(o.Users) && equalOpen(b.Open, o.Open)
}

// AppendText implements Filter. Of Users it tells how many there are, and no more: texts are equal where only passwords
// differ.
func (b *BasicAuth) AppendText(dst []byte) []byte {
	dst = append(append(dst, "realm "...), Word(b.Realm)...)
	dst = append(append(dst, " secret "...), Word(b.Secret)...)
	return appendOpen(strconv.AppendInt(append(dst, " users "...), int64(b.Users.Len()), 10), b.Open)
}

// equalOpen compares lists of open paths: none is not the same as no list.
func equalOpen(a, b []string) bool { return slices.Equal(a, b) && (a == nil) == (b == nil) }

// appendOpen appends a list of open paths.
func appendOpen(dst []byte, open []string) []byte {
	if open == nil {
		return dst
	}
	return append(append(dst, " open "...), Word(strings.Join(open, ","))...)
}
