package redirect

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Away answers every request with another place to go to: policy.Redirect.
type Away struct {
	policy.Redirect
	slot        int
	lines, body []byte // of a response that is the same for all requests
}

// NewAway makes an Away.
func NewAway(f policy.Filter, e server.Env) (server.Filter, error) {
	a := &Away{Redirect: *f.(*policy.Redirect), slot: e.Slot}
	switch {
	case !follows(a.Code):
		a.lines = []byte("Content-Type: text/plain; charset=utf-8\r\n")
		if a.Code != 304 { // which has no body: RFC 9110 section 15.4.5
			a.body = []byte(a.To + "\n")
		}
	case a.fixed():
		a.lines = []byte(location + a.To + "\r\n")
	}
	return a, nil
}

const location = "Location: "

// follows reports whether clients go on where a response with that status says.
func follows(code int) bool {
	switch code {
	case 301, 302, 303, 307, 308:
		return true
	}
	return false
}

// fixed reports whether the Location does not depend on the request.
func (a *Away) fixed() bool { return a.To != "" && (a.To[0] != '/' || a.Relative) }

// Name implements server.Filter.
func (*Away) Name() string { return string(policy.KindRedirect) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (a *Away) Request(x *server.Exchange) server.Verdict {
	if a.lines != nil {
		return x.Respond(a.Code, a.lines, a.body)
	}
	s := x.Slot(a.slot)
	b := append(s.Bytes[:0], location...)
	if a.Host != "" {
		b = append(appendForwardedScheme(b, x), a.Host...)
		b = appendTarget(appendForwardedPort(b, x), x, false)
	} else {
		b = append(appendOrigin(b, x, a.Port), a.To...)
	}
	s.Bytes = append(b, '\r', '\n')
	return x.Respond(a.Code, s.Bytes, nil)
}
