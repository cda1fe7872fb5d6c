package policy

import "strconv"

// KindBasicAuth is the Kind of BasicAuth.
const KindBasicAuth Kind = "basic-auth"

// BasicAuth asks for a name and a password (nginx.ingress.kubernetes.io/auth-type).
type BasicAuth struct {
	Realm string
	// Secret is where Users come from, as namespace/name.
	Secret string
	Users  Users
}

// Kind implements Filter.
func (*BasicAuth) Kind() Kind { return KindBasicAuth }

// Equal implements Filter.
func (b *BasicAuth) Equal(f Filter) bool {
	o := f.(*BasicAuth)
	return b.Realm == o.Realm && b.Secret == o.Secret && b.Users.Equal(o.Users)
}

// AppendText implements Filter. Of Users it tells how many there are, and no more: texts are equal where only passwords
// differ.
func (b *BasicAuth) AppendText(dst []byte) []byte {
	dst = append(append(dst, "realm "...), Word(b.Realm)...)
	dst = append(append(dst, " secret "...), Word(b.Secret)...)
	return strconv.AppendInt(append(dst, " users "...), int64(b.Users.Len()), 10)
}
