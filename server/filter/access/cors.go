package access

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// CORS answers the preflights of pages of other origins, and tells browsers what such pages may do and read: policy.CORS.
// As in ingress-nginx a preflight is every OPTIONS request of an allowed origin, and the Backend's own CORS fields are
// replaced. For an origin that is not allowed the gateway adds no field, and its requests go to the Backend: whether to
// answer them is the Backend's decision, and what a page may read of the answer the browser's.
type CORS struct {
	slot    int
	any     bool
	origins []origin
	lines   []byte // of every response to an allowed origin, but Access-Control-Allow-Origin
}

// NewCORS makes a CORS.
func NewCORS(f policy.Filter, e server.Env) (server.Filter, error) {
	p := f.(*policy.CORS)
	c := &CORS{slot: e.Slot}
	for _, o := range p.Origins {
		if o == "*" {
			c.any = true
		}
		c.origins = append(c.origins, newOrigin(o))
	}
	line := func(name, value string) {
		if value != "" {
			c.lines = append(c.lines, name+": "+value+"\r\n"...)
		}
	}
	if p.Credentials {
		line(allowCredentials, "true")
	}
	line(allowMethods, p.Methods)
	line(allowHeaders, p.Headers)
	line(exposeHeaders, p.Expose)
	line(maxAge, strconv.Itoa(p.MaxAge))
	return c, nil
}

// The fields of the Fetch standard, section 3.2.3.
const (
	allowOrigin      = "Access-Control-Allow-Origin"
	allowCredentials = "Access-Control-Allow-Credentials"
	allowMethods     = "Access-Control-Allow-Methods"
	allowHeaders     = "Access-Control-Allow-Headers"
	exposeHeaders    = "Access-Control-Expose-Headers"
	maxAge           = "Access-Control-Max-Age"
)

// varyOrigin keeps caches from giving one origin the answer to another's request.
const varyOrigin = "Vary: Origin\r\n"

// Name implements server.Filter.
func (*CORS) Name() string { return string(policy.KindCORS) }

// Request implements server.RequestFilter.
//
// hot: runs per request; no alloc, no lock.
func (c *CORS) Request(x *server.Exchange) server.Verdict {
	s := x.Slot(c.slot)
	lines := s.Bytes[:0]
	if c.any {
		lines = append(lines, allowOrigin+": *\r\n"...)
	} else {
		lines = append(lines, varyOrigin...)
		asked := x.RequestField("Origin")
		if !c.allows(asked) {
			s.Bytes = lines
			return server.Continue
		}
		lines = append(append(append(lines, allowOrigin+": "...), asked...), '\r', '\n')
	}
	s.N = 1
	s.Bytes = append(lines, c.lines...)
	if string(x.Method()) == "OPTIONS" {
		return x.Respond(204, s.Bytes, nil)
	}
	return server.Continue
}

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (c *CORS) Response(x *server.Exchange, r *server.Response) server.Verdict {
	s := x.Slot(c.slot)
	if s.N != 0 {
		r.Drop(allowOrigin)
		r.Drop(allowCredentials)
		r.Drop(allowMethods)
		r.Drop(allowHeaders)
		r.Drop(exposeHeaders)
		r.Drop(maxAge)
	}
	r.AddLines(s.Bytes)
	return server.Continue
}

// allows reports whether an Origin field names one of the origins.
func (c *CORS) allows(asked []byte) bool {
	for i := range c.origins {
		if c.origins[i].is(asked) {
			return true
		}
	}
	return false
}

// origin is an allowed one: the text before and after the label of any name, or all of it. In lower case.
type origin struct {
	before, after string
	label         bool
}

func newOrigin(s string) origin {
	if before, after, ok := strings.Cut(s, "://*."); ok {
		return origin{before + "://", "." + after, true}
	}
	return origin{before: s}
}

// is reports whether an Origin field names the origin. Case does not matter: browsers send lower case.
func (o *origin) is(asked []byte) bool {
	if !o.label {
		return server.EqualFold(asked, o.before)
	}
	n := len(asked) - len(o.after)
	if n <= len(o.before) || !server.EqualFold(asked[:len(o.before)], o.before) || !server.EqualFold(asked[n:], o.after) {
		return false
	}
	return len(bytes.Trim(asked[len(o.before):n], "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")) == 0
}
