package policy

import "strconv"

// KindRedirect is the Kind of Redirect, and KindHTTPS that of HTTPS. They are two, because a Route may have both.
const (
	KindRedirect Kind = "redirect"
	KindHTTPS    Kind = "https"
)

// Redirect answers every request with another place to go to, and asks no Backend
// (nginx.ingress.kubernetes.io/permanent-redirect, temporal-redirect, app-root and from-to-www-redirect).
type Redirect struct {
	// Code is the status, from 300 to 308. Where clients follow none (300, 304 to 306) the response has no Location.
	Code int
	// To is a URL, or a path on the host of the request; "" where Host is set.
	To string
	// Relative leaves a path as it is. Otherwise it becomes a URL with the scheme that the client speaks with the gateway and
	// the host of the request, and with Port its port too.
	Relative, Port bool
	// Host is where requests go with their path and query, less a slash at the end, with the scheme and port that clients use.
	Host string
}

// Kind implements Filter.
func (*Redirect) Kind() Kind { return KindRedirect }

// Equal implements Filter.
func (r *Redirect) Equal(f Filter) bool { return *r == *f.(*Redirect) }

// AppendText implements Filter.
func (r *Redirect) AppendText(b []byte) []byte {
	b = strconv.AppendInt(b, int64(r.Code), 10)
	if r.To != "" {
		b = append(append(b, " to "...), Word(r.To)...)
	}
	if r.Host != "" {
		b = append(append(b, " to host "...), Word(r.Host)...)
	}
	if r.Relative {
		b = append(b, " relative"...)
	}
	if r.Port {
		b = append(b, " with port"...)
	}
	return b
}

// HTTPS sends clients that speak plain HTTP to the same place over HTTPS (nginx.ingress.kubernetes.io/ssl-redirect and
// force-ssl-redirect). What a trusted proxy says of the client's scheme counts.
type HTTPS struct {
	// Code is the status: 301, 302, 303, 307 or 308.
	Code int
	// KeepSlash keeps a slash at the end of the target, which ingress-nginx drops.
	KeepSlash bool
}

// Kind implements Filter.
func (*HTTPS) Kind() Kind { return KindHTTPS }

// Equal implements Filter.
func (h *HTTPS) Equal(f Filter) bool { return *h == *f.(*HTTPS) }

// AppendText implements Filter.
func (h *HTTPS) AppendText(b []byte) []byte {
	b = strconv.AppendInt(b, int64(h.Code), 10)
	if h.KeepSlash {
		b = append(b, " keeps slash"...)
	}
	return b
}
