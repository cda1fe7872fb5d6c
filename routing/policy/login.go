package policy

import (
	"net/netip"
	"slices"
	"time"
)

// KindLogin is the Kind of Login.
const KindLogin Kind = "login"

// Login has people sign in at a provider of OpenID Connect (sluice-gateway.io/oidc-issuer).
type Login struct {
	// Issuer is the URL of the provider, and Client what the gateway is called there.
	Issuer, Client string
	// Secret is where the next three come from, as namespace/name: what the provider knows the gateway by, which may be empty, and
	// the key that sessions are sealed with, beside the one before it.
	Secret           string
	ClientSecret     Sealed
	Key, OldKey      Sealed
	Scopes           []string
	Claims, Fields   []string // as those of JWT
	Callback, Logout string   // paths; "" for one below the Route's
	AfterLogout      string   // a path
	Session          time.Duration
	ForwardToken     bool // the Backend is sent the access token
	Refused, Allowed []netip.Prefix
}

// Kind implements Filter.
func (*Login) Kind() Kind { return KindLogin }

// Equal implements Filter.
func (l *Login) Equal(f Filter) bool {
	o := f.(*Login)
	return string(l.AppendText(nil)) == string(o.AppendText(nil)) && l.ClientSecret.Equal(o.ClientSecret) && l.Key.Equal(o.Key) &&
		l.OldKey.Equal(o.OldKey) && slices.Equal(l.Refused, o.Refused) && slices.Equal(l.Allowed, o.Allowed)
}

// AppendText implements Filter. Of what is sealed it tells what there is.
func (l *Login) AppendText(b []byte) []byte {
	t := text{b}
	t.word("at", l.Issuer)
	t.word("as", l.Client)
	t.word("secret", l.Secret)
	t.flag("client secret sealed", !l.ClientSecret.Empty())
	t.flag("key sealed", !l.Key.Empty())
	t.flag("old key sealed", !l.OldKey.Empty())
	t.words("scope", l.Scopes)
	t.words("claim", l.Claims)
	t.words("field", l.Fields)
	t.word("callback", l.Callback)
	t.word("logout", l.Logout)
	t.word("after logout", l.AfterLogout)
	t.number("session", int64(l.Session/time.Second))
	t.flag("access token forwarded", l.ForwardToken)
	t.number("refused ranges", int64(len(l.Refused)))
	t.number("allowed ranges", int64(len(l.Allowed)))
	return t.b
}
