package access

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// External asks an authority about each request: policy.External. It is sent the client's fields, without the body, and who
// asks for what; 2xx lets the request pass, 401 and 403 are answered to the client, and whatever else is 500. It runs off the
// loop, for a bounded time.
type External struct {
	slot     int
	p        *policy.External
	host     string // of the authority, as it is sent
	url      variable.Text
	redirect variable.Text
	signIn   variable.Text
	from     variable.Text // the parameter of signIn, and where the client came from
	client   *http.Transport
	answers  answers
}

const (
	// timeToAnswer bounds a question, connection included.
	timeToAnswer = 15 * time.Second
	// maxAnswer bounds the fields of an answer, and what is read of its body before the connection is given up.
	maxAnswer = 16 << 10
)

// NewExternal makes an External.
func NewExternal(f policy.Filter, e server.Env) (server.Filter, error) {
	return newExternal(f.(*policy.External), e)
}

func newExternal(p *policy.External, e server.Env) (*External, error) {
	// As in ingress-nginx, no authority's certificate is verified.
	x := &External{slot: e.Slot, p: p, client: newTransport(p.Refused, p.Allowed, false)}
	var err error
	x.host, err = policy.ParseAuthority(p.URL)
	failures := []error{err, x.answers.init(p)}
	parse := func(s string) variable.Text {
		text, err := variable.Parse(s, policy.AuthorityVariables)
		failures = append(failures, err)
		return text
	}
	x.url, x.redirect, x.signIn = parse(p.URL), parse(cmp.Or(p.Redirect, "$request_uri")), parse(p.SignIn)
	x.from = parse(p.SignInParam + "=$pass_access_scheme://$http_host$escaped_request_uri")
	return x, errors.Join(failures...)
}

// Name implements server.Filter.
func (*External) Name() string { return string(policy.KindExternal) }

// Request implements server.RequestFilter.
func (e *External) Request(x *server.Exchange) server.Verdict { return ask(x, e) }

func (*External) concerns(x *server.Exchange) bool { return !challenged(x) }

// granted is what an authority that lets a request pass adds to it.
type granted struct {
	fields  [][2]string // that the Backend is sent
	cookies []string
}

func (e *External) rule(x *server.Exchange) (ruling, func(context.Context) ruling) {
	key, keyed := e.answers.key(x)
	if keyed {
		if r, known := e.answers.find(key); known {
			return e.direct(x, r), nil
		}
	}
	question, err := e.question(x)
	if err != nil {
		return failed, nil
	}
	signIn, seat := e.signInPage(x), seatOf(x)
	return ruling{}, func(ctx context.Context) ruling {
		defer seat.leave()
		if !seat.take() {
			return ruling{status: 503, text: "too many requests of the namespace wait"}
		}
		r, mayKeep := e.answer(ctx, question)
		if keyed && mayKeep {
			e.answers.keep(key, r)
		}
		return e.sent(r, signIn)
	}
}

var failed = ruling{status: 500, text: "the authority could not be asked"}

// answer asks the authority. mayKeep is false for an answer that is about this request alone, or for none.
func (e *External) answer(ctx context.Context, question *http.Request) (r ruling, mayKeep bool) {
	ctx, cancel := context.WithTimeout(ctx, timeToAnswer)
	defer cancel()
	resp, err := e.client.RoundTrip(question.WithContext(ctx))
	if err != nil {
		return failed, false
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer)
	cookies := resp.Header.Values("Set-Cookie")
	r.status = resp.StatusCode
	switch {
	case resp.StatusCode >= 200 && resp.StatusCode < 300:
		g := &granted{cookies: cookies}
		for _, name := range e.p.Fields {
			if values := resp.Header.Values(name); len(values) > 0 {
				g.fields = append(g.fields, [2]string{name, strings.Join(values, ", ")})
			}
		}
		r = ruling{granted: g}
	case resp.StatusCode == 401:
		r.text = "the authority wants to know who asks"
		for _, value := range resp.Header.Values("WWW-Authenticate") {
			r.fields = append(append(append(r.fields, "WWW-Authenticate: "...), value...), "\r\n"...)
		}
	case resp.StatusCode == 403:
		r.text = "the authority does not allow it"
	default:
		return failed, false
	}
	if e.p.AlwaysSetCookie || r.status == 401 && e.p.SignIn != "" {
		for _, cookie := range cookies {
			if r.status != 0 {
				r.fields = append(append(append(r.fields, "Set-Cookie: "...), cookie...), "\r\n"...)
			}
		}
	}
	control := strings.ToLower(strings.Join(resp.Header.Values("Cache-Control"), ","))
	private := strings.Contains(control, "no-store") || strings.Contains(control, "no-cache") || strings.Contains(control, "private")
	return r, len(cookies) == 0 && !private
}

// sent has a client without leave go to the page for signing in, where there is one.
func (e *External) sent(r ruling, page string) ruling {
	if r.status == 401 && page != "" {
		r.status, r.location, r.text = 302, page, "sign in first"
	}
	return r
}

// direct is sent for an answer that was kept.
func (e *External) direct(x *server.Exchange, r ruling) ruling { return e.sent(r, e.signInPage(x)) }

func (e *External) admit(x *server.Exchange, r ruling, _ bool) {
	for _, name := range e.p.Fields {
		dropField(x, name)
	}
	g, ok := r.granted.(*granted)
	if !ok {
		return
	}
	for _, f := range g.fields {
		if f[1] != "" {
			x.AddRequestField(f[0], f[1])
		}
	}
	if len(g.cookies) == 0 {
		return
	}
	s := x.Slot(e.slot)
	s.Bytes = s.Bytes[:0]
	for _, cookie := range g.cookies {
		s.Bytes = append(append(append(s.Bytes, "Set-Cookie: "...), cookie...), "\r\n"...)
	}
}

// Response implements server.ResponseFilter: the client gets the authority's cookies.
//
// hot: runs per response; no alloc, no lock.
func (e *External) Response(x *server.Exchange, r *server.Response) server.Verdict {
	s := x.Slot(e.slot)
	if len(s.Bytes) == 0 {
		return server.Continue
	}
	switch r.Status() {
	case 200, 201, 204, 206, 301, 302, 303, 304, 307, 308: // as add_header of nginx has them
		r.AddLines(s.Bytes)
	default:
		if e.p.AlwaysSetCookie {
			r.AddLines(s.Bytes)
		}
	}
	return server.Continue
}

// question is the request to the authority, made of the client's.
func (e *External) question(x *server.Exchange) (*http.Request, error) {
	req, head := x.Head()
	q, err := http.NewRequest(e.p.Method, e.url.For(x), nil)
	if err != nil {
		return nil, err
	}
	q.Host = e.host
	for i := range req.Fields {
		f := &req.Fields[i]
		name := f.Name.Of(head)
		// A password that was asked for further outside is not the Backend's to see, but the authority's.
		if f.Hop && !message.EqualFold(name, "Authorization") || framing[f.ID] {
			continue
		}
		n := http.CanonicalHeaderKey(string(name))
		q.Header[n] = append(q.Header[n], string(f.Value.Of(head)))
	}
	for _, name := range [...]string{"X-Forwarded-Proto", "X-Scheme", "X-Original-Uri"} {
		q.Header.Del(name)
	}
	if c := q.Header["Cookie"]; len(c) > 1 {
		q.Header["Cookie"] = []string{strings.Join(c, "; ")}
	}
	if q.Header["User-Agent"] == nil {
		q.Header.Set("User-Agent", "") // not net/http's
	}
	for _, f := range [...]struct{ name, value string }{
		{"X-Original-Url", originalURL.For(x)},
		{"X-Original-Method", string(x.Method())},
		{"X-Sent-From", "nginx-ingress-controller"},
		{"X-Real-Ip", x.Client().String()},
		{"X-Forwarded-For", x.Client().String()},
		{"X-Auth-Request-Redirect", e.redirect.For(x)},
	} {
		q.Header[f.name] = []string{f.value}
	}
	if id := x.RequestField("X-Request-ID"); id != nil {
		q.Header["X-Request-Id"] = []string{string(id)}
	}
	if e.p.Method != "GET" {
		q.Header["X-Original-Uri"], q.Header["X-Scheme"] = []string{target.For(x)}, []string{believedScheme.For(x)}
	}
	return q, nil
}

// What authorities are told of requests.
var (
	originalURL    = variable.Must("$scheme://$http_host$request_uri", policy.AuthorityVariables)
	target         = variable.Must("$request_uri", policy.AuthorityVariables)
	believedScheme = variable.Must("$pass_access_scheme", policy.AuthorityVariables)
	site           = variable.Must("$scheme://$host", policy.AuthorityVariables)
)

// framing are fields that the question has of its own, or has no use for.
var framing = map[message.FieldID]bool{
	message.FieldHost: true, message.FieldContentLength: true, message.FieldExpect: true, message.FieldTransferEncoding: true,
}

// signInPage is where the client is sent to sign in, "" for nowhere.
func (e *External) signInPage(x *server.Exchange) string {
	if len(e.signIn) == 0 {
		return ""
	}
	page := e.signIn.For(x)
	if strings.HasPrefix(page, "/") && !strings.HasPrefix(page, "//") {
		page = site.For(x) + page
	}
	before, query, asked := strings.Cut(page, "?")
	if asked && query != "" {
		for part := range strings.SplitSeq(query, "&") {
			if name, value, _ := strings.Cut(part, "="); name == e.p.SignInParam && value != "" {
				return page
			}
		}
		page += "&"
	} else {
		page = before + "?"
	}
	return page + e.from.For(x)
}

// allowed reports whether an authority may have an address.
func allowed(a netip.Addr, refused, allowed []netip.Prefix) bool {
	a = a.Unmap().WithZone("")
	for _, p := range allowed {
		if p.Contains(a) {
			return true
		}
	}
	for _, p := range refused {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
