package access

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/sluice-gateway/sluice/server"
)

// attempt is one at signing in: the plain text of a cookie, which ties the provider's answer to the browser that was sent there.
type attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
	Target   string `json:"t"`
	Ends     int64  `json:"e"`
}

const (
	// attemptTime bounds the time that people have to sign in.
	attemptTime = 10 * time.Minute
	// maxTarget bounds where people are sent back to.
	maxTarget = 2048
	// maxAttempts is how many tabs of a browser may sign in at once.
	maxAttempts = 4
)

// attemptName is the name of the cookie of an attempt: what it begins with is hidden from Backends with the session.
func (l *Login) attemptName(state string) string {
	return l.names[0][:len(l.names[0])-1] + "try" + string(rune('0'+state[0]%maxAttempts))
}

// begin sends a browser to the provider, and answers 401 to what is no page that a person looks at.
func (l *Login) begin(x *server.Exchange) (ruling, func(context.Context) ruling) {
	v := l.visit(x)
	if !v.navigates {
		return stay, nil
	}
	if d := l.provider.now.Load(); d != nil {
		return l.send(v, d), nil
	}
	seat := seatOf(x)
	return ruling{}, func(ctx context.Context) ruling {
		defer seat.leave()
		if !seat.take() {
			return ruling{status: 503, text: "too many requests of the namespace wait"}
		}
		return l.sendLater(ctx, v)
	}
}

// stay is what a request is answered that cannot be sent to the provider.
var stay = ruling{status: 401, text: "sign in first", fields: []byte(notKept)}

// sendLater is send where the provider may have to be asked first what it is.
func (l *Login) sendLater(ctx context.Context, v visit) ruling {
	if !v.navigates {
		return stay
	}
	d, err := l.provider.discover(ctx)
	if err != nil {
		return ruling{status: 503, text: "the provider does not answer"}
	}
	return l.send(v, d)
}

// navigates reports whether a person waits for a page, as far as one can tell. A request of a script cannot follow to the provider.
func navigates(x *server.Exchange) bool {
	switch string(x.Method()) {
	case "GET", "HEAD":
	default:
		return false
	}
	if mode := x.RequestField("Sec-Fetch-Mode"); mode != nil && string(mode) != "navigate" {
		return false
	}
	return x.RequestField("X-Requested-With") == nil
}

// send is the way to the provider.
func (l *Login) send(v visit, d *discovered) ruling {
	a := attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Target: v.target, Ends: time.Now().Add(attemptTime).Unix()}
	if len(a.Target) > maxTarget {
		a.Target = "/"
	}
	plain, err := json.Marshal(a)
	if err != nil {
		return ruling{status: 500, text: "where the person is to be sent back to cannot be written"}
	}
	to := l.provider.config(d, v.site+v.callback).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier))
	name := l.attemptName(a.State)
	fields := appendCookie(nil, name, l.sealer.seal(l.purpose+name, plain), int64(attemptTime/time.Second), v.secure)
	return ruling{status: 302, text: "sign in first", location: to, fields: append(fields, notKept...)}
}

// callback is where the provider sends browsers back to.
func (l *Login) callback(x *server.Exchange) (ruling, func(context.Context) ruling) {
	refuse := func(status int, text string) (ruling, func(context.Context) ruling) {
		return ruling{status: status, final: true, text: text, fields: []byte(notKept)}, nil
	}
	if string(x.Method()) != "GET" {
		return refuse(400, "a provider sends browsers back with GET")
	}
	q, err := url.ParseQuery(string(x.Query()))
	if err != nil || len(q["state"]) != 1 || q.Get("state") == "" || len(q["code"]) > 1 {
		return refuse(400, "this is no answer of a provider")
	}
	name := l.attemptName(q.Get("state"))
	var a attempt
	plain, _ := l.sealer.open(l.purpose+name, cookieOf(x, name))
	if plain == nil || json.Unmarshal(plain, &a) != nil || subtle.ConstantTimeCompare([]byte(a.State), []byte(q.Get("state"))) != 1 || time.Now().Unix() >= a.Ends {
		return refuse(403, "this browser has not asked to sign in, or too long ago; ask for the page again")
	}
	if issuer, there := q["iss"]; there && (len(issuer) != 1 || issuer[0] != l.p.Issuer) {
		return refuse(403, "this is another provider's answer")
	}
	code := q.Get("code")
	if q.Has("error") || code == "" {
		return refuse(403, "the provider does not let the client in")
	}
	v, seat := l.visit(x), seatOf(x)
	return ruling{}, func(ctx context.Context) ruling {
		defer seat.leave()
		if !seat.take() {
			return ruling{status: 503, final: true, text: "too many requests of the namespace wait"}
		}
		return l.signIn(ctx, v, &a, name, code)
	}
}

// signIn redeems a code, and sends the person back with a session.
func (l *Login) signIn(ctx context.Context, v visit, a *attempt, name, code string) ruling {
	fail := func(status int, text string) ruling {
		return ruling{status: status, final: true, text: text, fields: []byte(notKept)}
	}
	d, err := l.provider.discover(ctx)
	if err != nil {
		return fail(503, "the provider does not answer")
	}
	who, err := l.provider.exchange(ctx, d, v.site+v.callback, code, a.Verifier, a.Nonce)
	switch {
	case errors.Is(err, errRefused):
		return fail(403, "the provider does not let the client in")
	case err != nil:
		return fail(503, "the provider does not answer")
	}
	s := l.newSession(who, nil, time.Now())
	if s == nil {
		return fail(403, "the provider does not say of the client what is required")
	}
	lines, ok := l.cookies(s, v.secure)
	if !ok {
		return fail(500, "the session is too large for cookies")
	}
	lines = appendCookie(lines, name, "", 0, v.secure)
	// With the site before it: "//other.test/" would be a place of its own.
	return ruling{status: 302, final: true, text: "you have signed in", location: v.site + a.Target, fields: append(lines, notKept...)}
}

// withQuery adds parameters to a URL, name and value in turn.
func withQuery(to string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	if strings.Contains(to, "?") {
		return to + "&" + q.Encode()
	}
	return to + "?" + q.Encode()
}
