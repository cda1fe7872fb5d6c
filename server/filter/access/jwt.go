package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/sluice-gateway/sluice/routing/jwt"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// JWT asks for a token that a private key has signed (RFC 7519, RFC 6750): policy.JWT.
//
// A signature is verified off the loop. Tokens that were found good are remembered by each loop until they expire, as digests, with
// the fields that come of them; newer keys have all of them verified again.
type JWT struct {
	remembers
	slot   int
	p      *policy.JWT
	rules  jwt.Rules
	fields []claimField
	claims []claimField
	// Where the keys are from: one of the two.
	keys   *jwt.Keys
	source *keySource
	// Answers:
	absent, again ruling
}

// claimField is a field, or what is wanted, and the claim that it is of.
type claimField struct{ claim, text string }

// proved is what is known of a token. Immutable.
type proved struct {
	keys   *jwt.Keys
	until  time.Time
	fields [][2]string // that the Backend is sent
}

// tokens are those that are good, on one loop.
type tokens map[[sha256.Size]byte]*proved

// maxTokens bounds them, for one JWT.
const maxTokens = 4096

// NewJWT makes a JWT.
func NewJWT(f policy.Filter, e server.Env) (server.Filter, error) {
	return newJWT(f.(*policy.JWT), e)
}

func newJWT(p *policy.JWT, e server.Env) (*JWT, error) {
	j := &JWT{slot: e.Slot, p: p, rules: jwt.Rules{Algorithms: p.Algorithms, Issuer: p.Issuer, Audiences: p.Audiences, Leeway: p.Leeway}}
	switch {
	case !p.Keys.Empty():
		var err error
		if j.keys, _, err = jwt.ParseKeys(p.Keys.Open()); err != nil {
			return nil, err
		}
	case p.URL != "":
		if err := policy.ParseKeysURL(p.URL); err != nil {
			return nil, err
		}
		j.source = keysFrom(p.URL, p.Refused, p.Allowed)
	default:
		return nil, errors.New("there are no keys")
	}
	for _, pair := range p.Fields {
		name, claim := policy.Pair(pair)
		if err := policy.ValidField(name, ""); err != nil {
			return nil, err
		}
		j.fields = append(j.fields, claimField{claim, name})
	}
	for _, pair := range p.Claims {
		claim, value := policy.Pair(pair)
		j.claims = append(j.claims, claimField{claim, value})
	}
	j.absent = ruling{status: 401, text: "a token is required", fields: j.challenge("", "")}
	j.again = ruling{status: 400, text: "there are two fields Authorization", fields: j.challenge("invalid_request", "there are two fields Authorization")}
	return j, nil
}

// challenge is the field that says which tokens are wanted, and what is wrong with the one that came.
func (j *JWT) challenge(code, description string) []byte {
	b := []byte("WWW-Authenticate: Bearer realm=\"" + j.p.Realm + "\"")
	if code != "" {
		b = append(b, ", error=\""+code+"\", error_description=\""+description+"\""...)
	}
	return append(b, "\r\n"...)
}

// Name implements server.Filter.
func (*JWT) Name() string { return string(policy.KindJWT) }

// Request implements server.RequestFilter.
func (j *JWT) Request(x *server.Exchange) server.Verdict { return ask(x, j) }

func (*JWT) concerns(x *server.Exchange) bool { return !challenged(x) }

// hot: runs per request; no alloc, no lock, for a token that is known.
func (j *JWT) rule(x *server.Exchange) (ruling, func(context.Context) ruling) {
	text, again := bearer(x, j.p.Cookie)
	switch {
	case again:
		return j.again, nil
	case len(text) == 0:
		return j.absent, nil
	case len(text) > jwt.MaxToken:
		return j.refuse(jwt.Malformed), nil
	}
	now := time.Now()
	keys := j.keys
	if j.source != nil {
		keys = j.source.held(now)
	}
	digest := sha256.Sum256(text)
	if known := memoryOf(x, j.slot).tokens[digest]; known != nil && known.keys == keys && now.Before(known.until) {
		return ruling{granted: known}, nil
	}
	return ruling{}, j.later(string(text), digest, seatOf(x))
}

// later verifies a token off the loop.
func (j *JWT) later(token string, digest [sha256.Size]byte, seat *seat) func(context.Context) ruling {
	return func(ctx context.Context) ruling {
		defer seat.leave()
		if !seat.take() {
			return ruling{status: 503, text: "too many requests of the namespace wait"}
		}
		p, err := j.verify(ctx, token)
		var fault jwt.Fault
		switch {
		case err == nil:
			return ruling{granted: newlyProved{digest, p}}
		case errors.As(err, &fault):
			return j.refuse(fault)
		case errors.Is(err, errClaims):
			return ruling{status: 403, text: err.Error(), fields: j.challenge("insufficient_scope", err.Error())}
		}
		return ruling{status: 503, text: "the keys of tokens cannot be fetched"}
	}
}

// newlyProved is a token that the loop does not know yet.
type newlyProved struct {
	digest [sha256.Size]byte
	*proved
}

var errClaims = errors.New("the token does not say what is required")

func (j *JWT) refuse(f jwt.Fault) ruling {
	return ruling{status: 401, text: "the token is not taken: " + string(f), fields: j.challenge("invalid_token", string(f))}
}

// verify looks at a token, with newer keys where the present ones do not have its own.
func (j *JWT) verify(ctx context.Context, token string) (*proved, error) {
	keys := j.keys
	if keys == nil {
		var err error
		if keys, err = j.source.get(ctx, nil); err != nil {
			return nil, err
		}
	}
	check := func() (jwt.Claims, error) {
		select {
		case verifying <- struct{}{}:
			defer func() { <-verifying }()
		case <-ctx.Done():
			return jwt.Claims{}, ctx.Err()
		}
		return jwt.Verify(token, keys, &j.rules, time.Now())
	}
	claims, err := check()
	if err == jwt.UnknownKey && j.source != nil {
		newer, failure := j.source.get(ctx, keys)
		if failure != nil {
			return nil, failure
		}
		if newer == keys {
			return nil, err
		}
		keys = newer
		claims, err = check()
	}
	if err != nil {
		return nil, err
	}
	for _, c := range j.claims {
		if !claims.Has(c.claim, c.text) {
			return nil, errClaims
		}
	}
	p := &proved{keys: keys, until: claims.Until}
	for _, f := range j.fields {
		if text, ok := claims.Text(f.claim); ok && text != "" {
			p.fields = append(p.fields, [2]string{f.text, text})
		}
	}
	return p, nil
}

func (j *JWT) admit(x *server.Exchange, r ruling, _ bool) {
	for i := range j.fields {
		dropField(x, j.fields[i].text)
	}
	if !j.p.Keep {
		x.DropRequestField("Authorization")
	}
	known, _ := r.granted.(*proved)
	if newly, ok := r.granted.(newlyProved); ok {
		good := memoryOf(x, j.slot).tokens
		if len(good) >= maxTokens {
			clear(good)
		}
		known = newly.proved
		good[newly.digest] = known
	}
	if known == nil {
		return
	}
	for i := range known.fields {
		x.AddRequestField(known.fields[i][0], known.fields[i][1])
	}
}
