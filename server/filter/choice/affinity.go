package choice

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Affinity keeps clients at their Endpoints, by a cookie: policy.Affinity.
//
// A request with a cookie of one of the Route's Backends goes there, whatever a canary's rules say. Its key then stands for an
// Endpoint: by its hash, or by name. While that Endpoint is ejected another one answers, and the client keeps its cookie. A
// cookie is set, behind the choice of the Endpoint, where there is none, or none of the Backend's Endpoints is meant.
type Affinity struct {
	config  *policy.Affinity
	slot    int
	expires time.Duration
	// beginning is a line up to the key, and ending the attributes that are the same in each cookie.
	beginning, ending string
}

// NewAffinity makes an Affinity.
func NewAffinity(f policy.Filter, e server.Env) (server.Filter, error) {
	config := f.(*policy.Affinity)
	a := &Affinity{config: config, slot: e.Slot, beginning: "Set-Cookie: " + config.Cookie + "="}
	if config.Expires != "" {
		seconds, err := strconv.ParseInt(config.Expires, 10, 64)
		if err != nil {
			return nil, err
		}
		a.expires = time.Duration(seconds) * time.Second
	}
	if config.MaxAge != "" {
		a.ending += "; Max-Age=" + config.MaxAge
	}
	if config.Domain != "" {
		a.ending += "; Domain=" + config.Domain
	}
	return a, nil
}

var (
	_ server.RequestFilter  = (*Affinity)(nil)
	_ server.ResponseFilter = (*Affinity)(nil)
	_ server.LoopFilter     = (*Affinity)(nil)
)

// Name implements server.Filter.
func (*Affinity) Name() string { return string(policy.KindAffinity) }

// NewState implements server.LoopFilter.
func (*Affinity) NewState() any { return make(nameplates) }

// What Slot.N says of a request; Slot.Bytes has the key.
const (
	loose   = iota + 1 // no session: the Backend is a canary without them
	begins             // the client has no session yet
	goes               // the client has one, of the key
	unnamed            // the client's key names no Endpoint
)

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (a *Affinity) Request(x *server.Exchange) server.Verdict {
	s := x.Slot(a.slot)
	s.Bytes = s.Bytes[:0]
	value, _ := variable.CookieExactly(x, a.config.Cookie)
	key, of, _ := bytes.Cut(value, bar)
	share := -1
	if split := x.Route().Split(); split != nil {
		if share = a.shareOf(x, split, of); share >= 0 {
			x.ChooseShare(share)
		} else if share = x.ChosenShare(); share < 0 {
			if share = split.Pick(x.Random()); share >= 0 {
				x.ChooseShare(share)
			}
		}
		if share >= 0 && split.Shares[share].Loose {
			s.N = loose
			return server.Continue
		}
	}
	switch {
	case len(key) == 0:
		s.N = begins
		s.Bytes = appendKey(s.Bytes, x)
	default:
		s.N = goes
		s.Bytes = append(s.Bytes, key...)
	}
	if !a.config.Persistent {
		x.Spread(s.Bytes, 1)
		return server.Continue
	}
	if to := x.BackendOf(share); to != nil {
		if place, ok := x.State(a.slot).(nameplates).find(to, key); ok {
			x.Prefer(to.Endpoints[place].Addr)
		} else {
			s.N = unnamed
		}
	}
	return server.Continue
}

var bar = []byte("|")

// shareOf returns the Share whose Backend a cookie is of, -1 for none.
//
// hot: runs per request; no alloc, no lock.
func (a *Affinity) shareOf(x *server.Exchange, split *routing.Split, of []byte) int {
	var mark [2 * markSize]byte
	if len(of) != len(mark) {
		return -1
	}
	for i := range split.Shares {
		if split.Shares[i].Loose {
			continue
		}
		if b := x.BackendAt(split.Shares[i].Backend); b != nil && string(appendMark(mark[:0], b.Key)) == string(of) {
			return i
		}
	}
	return -1
}

// appendKey appends a key that nobody has, and nobody guesses.
func appendKey(dst []byte, x *server.Exchange) []byte {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], x.Random())
	binary.LittleEndian.PutUint64(raw[8:], x.Random())
	return hex.AppendEncode(dst, raw[:])
}

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (a *Affinity) Response(x *server.Exchange, r *server.Response) server.Verdict {
	s := x.Slot(a.slot)
	if s.N == loose || r.Own() {
		return server.Continue
	}
	of, addr, replayed := x.Endpoint()
	if of == nil || s.N == goes && !(replayed && a.config.ChangeOnFailure) {
		return server.Continue
	}
	var key [2 * markSize]byte
	switch {
	case a.config.Persistent:
		s.Bytes = append(s.Bytes[:0], appendNameplate(key[:0], of.Key, addr)...)
	case replayed:
		s.Bytes = a.another(s.Bytes, x)
	}
	s.Bytes = a.appendCookie(s.Bytes, x, of.Key)
	line := s.Bytes[bytes.IndexByte(s.Bytes, '\n')+1:]
	r.AddLines(line)
	return server.Continue
}

// draws bounds how many keys are tried for one of the Endpoint that has answered.
const draws = 64

// another replaces a key, whose Endpoint has failed, by one whose Endpoint is that which has answered; or, where chance finds
// none, any other.
func (a *Affinity) another(dst []byte, x *server.Exchange) []byte {
	_, addr, _ := x.Endpoint()
	for range draws {
		if dst = appendKey(dst[:0], x); x.Holder(dst) == addr {
			break
		}
	}
	return dst
}

// appendCookie appends, behind key and a line feed, the line that sets the cookie of that key.
//
// hot: runs per response; no alloc, no lock.
func (a *Affinity) appendCookie(key []byte, x *server.Exchange, of routing.BackendKey) []byte {
	n := len(key)
	b := append(key, '\n')
	b = append(b, a.beginning...)
	b = append(b, b[:n]...)
	b = appendMark(append(b, '|'), of)
	if a.config.Expires != "" {
		b = append(b, "; Expires="...)
		b = time.Now().Add(a.expires).UTC().AppendFormat(b, "Mon, 02 Jan 2006 15:04:05 GMT")
	}
	b = append(b, a.ending...)
	b = append(b, "; Path="...)
	if a.config.Path != "" {
		b = append(b, a.config.Path...)
	} else {
		b = appendPath(b, x.Route())
	}
	if a.config.Secure || x.Secure() {
		b = append(b, "; Secure"...)
	}
	b = append(b, "; HttpOnly"...)
	if same := a.config.SameSite; same != "" && !(a.config.KnownNone && same == "None" && mistakesNone(x.RequestField("User-Agent"))) {
		b = append(append(b, "; SameSite="...), same...)
	}
	return append(b, '\r', '\n')
}

// appendPath appends the path of a Route as the attribute of a cookie: what would end it is escaped.
func appendPath(b []byte, r *routing.Route) []byte {
	if r.Default {
		return append(b, '/')
	}
	const digits = "0123456789ABCDEF"
	path := r.Spelling()
	for i := range len(path) {
		if c := path[i]; c <= ' ' || c == ';' || c >= 0x7f {
			b = append(b, '%', digits[c>>4], digits[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

// mistakesNone reports whether a browser is known to refuse a cookie with SameSite=None, or to take it for Strict
// (https://www.chromium.org/updates/same-site/incompatible-clients), by the signs that ingress-nginx looks for.
func mistakesNone(agent []byte) bool {
	for _, sign := range mistaken {
		if bytes.Contains(agent, sign) {
			return true
		}
	}
	return bytes.Contains(agent, macintosh) && bytes.Contains(agent, mojave) && bytes.Contains(agent, safari) && !bytes.Contains(agent, chrome)
}

var (
	mistaken = [][]byte{
		[]byte("Chrome/4"), []byte("Chrome/5"), []byte("Chrome/6"), []byte("CPU iPhone OS 12"), []byte("iPad; CPU OS 12"),
	}
	macintosh, mojave, safari, chrome = []byte("Macintosh"), []byte("Intel Mac OS X 10_14"), []byte("Safari"), []byte("Chrome")
)
