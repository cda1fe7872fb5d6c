package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"runtime"
	"slices"

	"github.com/sluice-gateway/sluice/routing/htpasswd"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Basic asks for a name and a password (RFC 7617): policy.BasicAuth.
//
// A verification is meant to be slow, and runs off the loop. What it has found good is remembered by each loop, as a keyed
// digest, for as long as there is the Basic: another version of the Secret makes another one. A name that nobody has is
// verified against the hash of somebody, so that time does not tell which names there are.
type Basic struct {
	remembers
	slot   int
	refuse ruling
	users  map[string]htpasswd.Hash
	any    []htpasswd.Hash // the same, to stand in for nobody
	key    [sha256.Size]byte
}

const (
	// maxVerified bounds the digests that a loop remembers for one Basic.
	maxVerified = 1024
	// maxCredentials bounds a name and a password together.
	maxCredentials = 512
)

// verifying bounds the verifications that run at once in the process, so that they leave time for the loops.
var verifying = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// NewBasic makes a Basic.
func NewBasic(f policy.Filter, e server.Env) (server.Filter, error) {
	return newBasic(f.(*policy.BasicAuth), e)
}

func newBasic(p *policy.BasicAuth, e server.Env) (*Basic, error) {
	b := &Basic{slot: e.Slot, users: make(map[string]htpasswd.Hash, p.Users.Len())}
	b.refuse = ruling{status: 401, text: "a name and a password are required", fields: []byte("WWW-Authenticate: Basic realm=\"" + p.Realm + "\"\r\n")}
	for name, text := range p.Users.All() {
		h, err := htpasswd.Parse(text)
		if err != nil {
			return nil, err
		}
		b.users[name] = h
		b.any = append(b.any, h)
	}
	_, _ = rand.Read(b.key[:]) // never fails
	return b, nil
}

// Name implements server.Filter.
func (*Basic) Name() string { return string(policy.KindBasicAuth) }

// Request implements server.RequestFilter.
func (b *Basic) Request(x *server.Exchange) server.Verdict { return ask(x, b) }

// verified are digests of credentials that are good, on one loop.
type verified map[[sha256.Size]byte]struct{}

func (*Basic) concerns(x *server.Exchange) bool { return !challenged(x) }

func (b *Basic) rule(x *server.Exchange) (ruling, func(context.Context) ruling) {
	var room [maxCredentials]byte
	both := credentials(room[:], x.RequestField("Authorization"))
	defer clear(both)
	at := bytes.IndexByte(both, ':')
	if at <= 0 || len(b.any) == 0 {
		return b.refuse, nil
	}
	digest := b.digest(both)
	if _, known := memoryOf(x, b.slot).verified[digest]; known {
		return ruling{}, nil
	}
	name, password, seat := string(both[:at]), slices.Clone(both[at+1:]), seatOf(x)
	return ruling{}, func(ctx context.Context) ruling {
		defer clear(password)
		defer seat.leave()
		if !seat.take() {
			return ruling{status: 503, text: "too many requests of the namespace wait"}
		}
		select {
		case verifying <- struct{}{}:
			defer func() { <-verifying }()
		case <-ctx.Done():
			return ruling{status: 503, text: "the client has left"}
		}
		h, known := b.users[name]
		if !known {
			h = b.somebody(name)
		}
		if good := h.Verify(password); !good || !known {
			return b.refuse
		}
		return ruling{granted: digest}
	}
}

func (b *Basic) admit(x *server.Exchange, r ruling, _ bool) {
	if digest, ok := r.granted.([sha256.Size]byte); ok {
		good := memoryOf(x, b.slot).verified
		if len(good) >= maxVerified {
			clear(good)
		}
		good[digest] = struct{}{}
	}
	x.DropRequestField("Authorization")
}

// somebody returns the hash that stands in for a name that nobody has: always the same one for the same name.
func (b *Basic) somebody(name string) htpasswd.Hash {
	sum := b.digest([]byte(name))
	return b.any[binary.BigEndian.Uint64(sum[:])%uint64(len(b.any))]
}

// digest is keyed, so that nobody can make two that are alike, or guess at one with a dump of memory that lacks the key.
func (b *Basic) digest(text []byte) (sum [sha256.Size]byte) {
	var room [sha256.Size + maxCredentials]byte
	n := copy(room[:], b.key[:])
	n += copy(room[n:], text)
	sum = sha256.Sum256(room[:n])
	clear(room[:n])
	return sum
}

// credentials decodes the value of an Authorization field into dst: "name:password"; nil where it is of another scheme, or
// none, or longer than dst. Padding may be left out.
func credentials(dst, field []byte) []byte {
	const scheme = "Basic "
	if len(field) <= len(scheme) || !message.EqualFold(field[:len(scheme)], scheme) {
		return nil
	}
	token := bytes.TrimRight(bytes.TrimLeft(field[len(scheme):], " "), "=")
	if base64.RawStdEncoding.DecodedLen(len(token)) > len(dst) {
		return nil
	}
	n, err := base64.RawStdEncoding.Decode(dst, token)
	if err != nil {
		clear(dst)
		return nil
	}
	return dst[:n]
}
