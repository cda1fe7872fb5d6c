package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Login has people sign in at a provider of OpenID Connect, by the authorization code flow with PKCE: policy.Login.
//
//	a path of the Route  -> no session: 302 to the provider, with a cookie that only this browser has and only the gateway reads
//	the callback         -> the code is redeemed off the loop: 302 to where the person came from, with the session in cookies
//	a path of the Route  -> the session opens: the Backend is asked, with claims as fields and without these cookies
//	the path for logout  -> the cookies are taken away
//
// A session is sealed with a key of a Secret, for this Login alone: one of other claims, or of another client, is none. Nothing of it
// is kept here but what was opened lately, by each loop, and tokens that were renewed a moment ago.
type Login struct {
	remembers
	// Immutable after newLogin:
	slot     int
	p        *policy.Login
	provider *provider
	sealer   *sealer
	// purpose is what sessions are sealed for, and names are those of their cookies.
	purpose        string
	names          [maxChunks]string
	fields, claims []claimField

	renewals renewals
}

// NewLogin makes a Login.
func NewLogin(f policy.Filter, e server.Env) (server.Filter, error) {
	return newLogin(f.(*policy.Login), e)
}

func newLogin(p *policy.Login, e server.Env) (*Login, error) {
	l := &Login{slot: e.Slot, p: p, provider: newProvider(p)}
	if err := policy.ParseKeysURL(p.Issuer); err != nil {
		return nil, err
	}
	if p.Client == "" || p.Session <= 0 {
		return nil, errors.New("the provider does not know the gateway")
	}
	// Everything that a session depends on: where it is another one, people sign in again, which the provider may not show them.
	h := sha256.New()
	for _, list := range [][]string{{p.Issuer, p.Client, p.Secret}, p.Claims, p.Fields, p.Scopes} {
		for _, text := range append(list, "") {
			h.Write([]byte(text))
			h.Write([]byte{0})
		}
	}
	l.purpose = hex.EncodeToString(h.Sum(nil))
	var err error
	if l.sealer, err = newSealer("session", p.Key.Open(), p.OldKey.Open()); err != nil {
		return nil, err
	}
	at := sha256.Sum256([]byte(p.Issuer + "\x00" + p.Client + "\x00" + p.Secret))
	for i := range l.names {
		l.names[i] = "sluice-session-" + hex.EncodeToString(at[:4]) + "-" + string(rune('0'+i))
	}
	for _, pair := range p.Fields {
		name, claim := policy.Pair(pair)
		if err := policy.ValidField(name, ""); err != nil {
			return nil, err
		}
		l.fields = append(l.fields, claimField{claim, name})
	}
	for _, pair := range p.Claims {
		claim, value := policy.Pair(pair)
		l.claims = append(l.claims, claimField{claim, value})
	}
	return l, nil
}

// Name implements server.Filter.
func (*Login) Name() string { return string(policy.KindLogin) }

// Request implements server.RequestFilter.
func (l *Login) Request(x *server.Exchange) server.Verdict { return ask(x, l) }

func (*Login) concerns(x *server.Exchange) bool { return !isOpen(x, nil) }

// The paths below that of a Route.
const (
	belowCallback = "/oauth2/callback"
	belowLogout   = "/oauth2/logout"
)

// isAt reports whether a request is for a path, "" for one below the Route's.
//
// hot: runs per request; no alloc, no lock.
func isAt(x *server.Exchange, path, below string) bool {
	at := x.Path()
	if path != "" {
		return string(at) == path
	}
	base := baseOf(x)
	return len(at) == len(base)+len(below) && string(at[:len(base)]) == base && string(at[len(base):]) == below
}

// baseOf returns the path that a Route is for, without a slash at its end; "" where it is an expression.
func baseOf(x *server.Exchange) string {
	r := x.Route()
	if r.Type == routing.Regular {
		return ""
	}
	return strings.TrimSuffix(r.Path, "/")
}

// hot: runs per request; no alloc, no lock, for a session that is known.
func (l *Login) rule(x *server.Exchange) (ruling, func(context.Context) ruling) {
	switch {
	case isAt(x, l.p.Callback, belowCallback):
		return l.callback(x)
	case isAt(x, l.p.Logout, belowLogout):
		return l.logout(x)
	}
	m := memoryOf(x, l.slot)
	text := l.gather(x, m)
	if text == nil {
		return l.begin(x)
	}
	digest := sha256.Sum256(text)
	s := m.sessions[digest]
	if s == nil {
		if s = l.open(text, secure(x)); s == nil {
			return l.begin(x)
		}
		if len(m.sessions) >= maxSessions {
			clear(m.sessions)
		}
		m.sessions[digest] = s
	}
	switch now := time.Now().Unix(); {
	case now >= s.Ends:
		return l.begin(x)
	case s.Renew == 0 || now < s.Renew:
		return ruling{granted: s}, nil
	}
	return ruling{}, l.renew(x, digest, s)
}

func (l *Login) admit(x *server.Exchange, r ruling, _ bool) {
	for i := range l.fields {
		dropField(x, l.fields[i].text)
	}
	l.hideCookies(x)
	s, ok := r.granted.(*session)
	if !ok {
		return
	}
	if l.p.ForwardToken {
		x.DropRequestField("Authorization")
	}
	for i := range s.fields {
		x.AddRequestField(s.fields[i][0], s.fields[i][1])
	}
	addLines(x, s.cookies)
}

// hideCookies keeps the session from the Backend, which could use it in the name of the person.
func (l *Login) hideCookies(x *server.Exchange) {
	req, head := x.Head()
	m := memoryOf(x, l.slot)
	m.text = m.text[:0]
	ours := false
	for i := range req.Fields {
		f := &req.Fields[i]
		if f.Hop || !message.EqualFold(f.Name.Of(head), "Cookie") {
			continue
		}
		for part := range strings.SplitSeq(string(f.Value.Of(head)), ";") {
			part = strings.Trim(part, " \t")
			name, _, _ := strings.Cut(part, "=")
			if strings.HasPrefix(name, l.names[0][:len(l.names[0])-1]) {
				ours = true
				continue
			}
			if len(m.text) > 0 {
				m.text = append(m.text, "; "...)
			}
			m.text = append(m.text, part...)
		}
	}
	if !ours {
		return
	}
	x.DropRequestField("Cookie")
	if len(m.text) > 0 {
		x.AddRequestField("Cookie", string(m.text))
	}
}

// visit is what is to be known of a request off the loop.
type visit struct {
	// site is scheme and host as browsers see them, callback the path there, and target where the person wants to go.
	site, callback, target string
	secure                 bool
	// navigates is true where the browser can be sent elsewhere.
	navigates bool
}

var siteOf = variable.Must("$pass_access_scheme://$http_host", policy.AuthorityVariables)

func (l *Login) visit(x *server.Exchange) visit {
	v := visit{site: siteOf.For(x), callback: l.p.Callback, target: target.For(x), secure: secure(x), navigates: navigates(x)}
	if v.callback == "" {
		v.callback = baseOf(x) + belowCallback
	}
	return v
}

// secure reports whether the browser speaks TLS.
func secure(x *server.Exchange) bool {
	switch scheme := x.RequestField("X-Forwarded-Proto"); string(scheme) {
	case "https":
		return true
	case "http":
		return false
	}
	return x.Secure()
}

// logout takes the session away, and sends the browser on to the provider where that knows how to end its own.
func (l *Login) logout(x *server.Exchange) (ruling, func(context.Context) ruling) {
	if method := string(x.Method()); method != "GET" && method != "POST" {
		return ruling{status: 405, final: true, text: "people sign out with GET or POST", fields: []byte("Allow: GET, POST\r\n")}, nil
	}
	v := l.visit(x)
	after := v.site + "/"
	if l.p.AfterLogout != "" {
		after = v.site + l.p.AfterLogout
	}
	if d := l.provider.now.Load(); d != nil && d.logout != "" {
		after = withQuery(d.logout, "client_id", l.p.Client, "post_logout_redirect_uri", after)
	} else if l.p.AfterLogout == "" {
		return ruling{status: 200, final: true, text: "you have signed out", fields: append(l.forget(v.secure), notKept...)}, nil
	}
	return ruling{status: 302, final: true, location: after, text: "you have signed out", fields: append(l.forget(v.secure), notKept...)}, nil
}

const notKept = "Cache-Control: no-store\r\n"

// renewals are those of sessions under way, and of a moment ago: a browser sends several requests with the same session at once, and
// a provider takes a token for renewal once.
type renewals struct {
	mu sync.Mutex
	// Guarded by mu:
	list map[[sha256.Size]byte]*renewal
}

type renewal struct {
	ended chan struct{}
	until time.Time // once it has ended
	// Written before ended is closed:
	session *session
	err     error
}

const (
	// renewalKept is for how long the session before is one still.
	renewalKept = time.Minute
	maxRenewals = 4096
)

// of returns the renewal of a session, and whether the caller has to make it.
func (r *renewals) of(digest [sha256.Size]byte, now time.Time) (*renewal, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if one := r.list[digest]; one != nil && (one.until.IsZero() || now.Before(one.until)) {
		return one, false
	}
	if r.list == nil || len(r.list) >= maxRenewals {
		r.list = make(map[[sha256.Size]byte]*renewal)
	}
	one := &renewal{ended: make(chan struct{})}
	r.list[digest] = one
	return one, true
}

// end notes what a renewal has come to.
func (r *renewals) end(one *renewal, s *session, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	one.session, one.err, one.until = s, err, time.Now().Add(renewalKept)
	if errors.Is(err, errNoProvider) {
		one.until = time.Now().Add(keysRetry)
	}
	close(one.ended)
}

// renew renews the tokens of a session, off the loop.
func (l *Login) renew(x *server.Exchange, digest [sha256.Size]byte, s *session) func(context.Context) ruling {
	seat, v := seatOf(x), l.visit(x)
	return func(ctx context.Context) ruling {
		defer seat.leave()
		if !seat.take() {
			return ruling{status: 503, text: "too many requests of the namespace wait"}
		}
		one, mine := l.renewals.of(digest, time.Now())
		if mine {
			next, err := (*session)(nil), errPanic
			func() {
				defer func() { l.renewals.end(one, next, err) }()
				next, err = l.renewed(s, v.secure)
			}()
		} else {
			select {
			case <-one.ended:
			case <-ctx.Done():
				return ruling{status: 503, text: "the client has left"}
			}
		}
		switch {
		case one.err == nil:
			return ruling{granted: one.session}
		case errors.Is(one.err, errRefused):
			return l.sendLater(ctx, v)
		}
		return ruling{status: 503, text: "the provider does not answer"}
	}
}

// renewed makes the session that goes on for s. It does not end with the client that asked first: the token is used up.
func (l *Login) renewed(s *session, secure bool) (*session, error) {
	ctx, cancel := context.WithTimeout(context.Background(), providerTime)
	defer cancel()
	d, err := l.provider.discover(ctx)
	if err != nil {
		return nil, errNoProvider
	}
	who, err := l.provider.refresh(ctx, d, s.Refresh)
	if err != nil {
		return nil, err
	}
	next := l.newSession(who, s, time.Now())
	if next == nil {
		return nil, errRefused
	}
	var ok bool
	if next.cookies, ok = l.cookies(next, secure); !ok {
		return nil, errRefused
	}
	return next, nil
}
