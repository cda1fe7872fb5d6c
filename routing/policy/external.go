package policy

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// KindExternal is the Kind of External.
const KindExternal Kind = "auth-url"

// AuthorityVariables are those that an External may have.
var AuthorityVariables = Variables{
	"arg_", "args", "best_http_host", "cookie_", "escaped_request_uri", "host", "http_", "pass_access_scheme", "remote_addr",
	"request_method", "request_uri", "scheme", "uri",
}

// External asks an authority about each request (nginx.ingress.kubernetes.io/auth-url).
type External struct {
	// URL is where the authority is, with variables behind its host: AuthorityVariables, as everywhere here.
	URL string
	// Method is that of the questions.
	Method string
	// Fields are those of its answer that Backends are sent, instead of a client's own.
	Fields []string
	// Tell are fields of the questions, instead of a client's of the same names, with variables; Told is the ConfigMap that has them,
	// as namespace/name.
	Tell []FieldTemplate
	Told string
	// AlwaysSetCookie is true where its cookies are set whatever the Backend answers.
	AlwaysSetCookie bool
	// Redirect is what X-Auth-Request-Redirect says, with variables; "" for the request's target.
	Redirect string
	// SignIn is where clients without leave are sent, with variables, and SignInParam the parameter there that says where they
	// came from; "" for a plain answer.
	SignIn, SignInParam string
	// CacheKey, with variables, is what requests have in common that are answered alike; "" asks for each. CacheFor is for how
	// long, by status, as nginx writes it.
	CacheKey string
	CacheFor string
	// Refused are addresses that the authority must not have, unless they are in Allowed.
	Refused, Allowed []netip.Prefix
	// Open are the beginnings of the paths of Routes that are not asked about; nil for those that certificate authorities ask for.
	Open []string
}

// Kind implements Filter.
func (*External) Kind() Kind { return KindExternal }

// Equal implements Filter.
func (e *External) Equal(f Filter) bool {
	o := f.(*External)
	return string(e.AppendText(nil)) == string(o.AppendText(nil)) && slices.Equal(e.Refused, o.Refused) && slices.Equal(e.Allowed, o.Allowed)
}

// AppendText implements Filter. Of the addresses it tells how many ranges there are.
func (e *External) AppendText(b []byte) []byte {
	word := func(name, value string) {
		if value != "" {
			b = append(append(append(b, name...), ' '), Word(value)...)
		}
	}
	word("ask", e.URL)
	word(" by", e.Method)
	for _, f := range e.Fields {
		word(" field", f)
	}
	word(" told by", e.Told)
	for _, f := range e.Tell {
		word(" tell", f.Name+": "+f.Value)
	}
	if e.AlwaysSetCookie {
		b = append(b, " always set cookie"...)
	}
	word(" redirect", e.Redirect)
	word(" sign in", e.SignIn)
	word(" parameter", e.SignInParam)
	word(" cache by", e.CacheKey)
	word(" for", e.CacheFor)
	if len(e.Refused) > 0 {
		b = strconv.AppendInt(append(b, " refused ranges "...), int64(len(e.Refused)), 10)
	}
	if len(e.Allowed) > 0 {
		b = strconv.AppendInt(append(b, " allowed ranges "...), int64(len(e.Allowed)), 10)
	}
	return appendOpen(b, e.Open)
}

// ParseAuthority reads the URL of an authority: http or https, with a host that has no variables, and without a name or password.
func ParseAuthority(s string) (host string, err error) {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf("want a URL without spaces and control characters")
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "":
		return "", fmt.Errorf("want a URL of http or https with a host")
	case strings.Contains(u.Host, "$"):
		return "", fmt.Errorf("the host has a variable: a client could choose who is asked")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Errorf("want a port from 1 to 65535")
		}
	}
	_, err = ParseTemplate(s, AuthorityVariables)
	return u.Hostname(), err
}

// maxCached bounds the time that an answer is kept.
const maxCached = 24 * time.Hour

// ParseCacheFor reads for how long answers are kept, by status: "200 202 10m, 401 5m 30s". A time without a status is for 200,
// 301 and 302, as in nginx.
func ParseCacheFor(s string) (map[int]time.Duration, error) {
	kept := make(map[int]time.Duration)
	for part := range strings.SplitSeq(s, ",") {
		var statuses []int
		var total time.Duration
		timed := false
		for word := range strings.FieldsSeq(part) {
			if n, err := strconv.Atoi(word); err == nil {
				if timed || n < 100 || n > 599 {
					return nil, fmt.Errorf("want statuses and then a time")
				}
				statuses = append(statuses, n)
				continue
			}
			d, err := nginxTime(word)
			if err != nil {
				return nil, err
			}
			total, timed = min(total+d, maxCached), true
		}
		if strings.TrimSpace(part) == "" {
			continue
		}
		if !timed {
			return nil, fmt.Errorf("want statuses and then a time")
		}
		if len(statuses) == 0 {
			statuses = []int{200, 301, 302}
		}
		for _, n := range statuses {
			kept[n] = total
		}
	}
	return kept, nil
}

// nginxTime reads a number and a unit of nginx.
func nginxTime(s string) (time.Duration, error) {
	const day = 24 * time.Hour
	digits := strings.TrimLeft(s, "0123456789")
	unit, known := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": day, "w": 7 * day, "M": 30 * day, "y": 365 * day,
	}[digits]
	n, err := strconv.ParseInt(s[:len(s)-len(digits)], 10, 64)
	if err != nil || !known {
		return 0, fmt.Errorf("%s is no time: want a number and ms, s, m, h, d, w, M or y", Word(s[:min(len(s), 20)]))
	}
	if n > int64(maxCached/unit) {
		return maxCached, nil
	}
	return time.Duration(n) * unit, nil
}
