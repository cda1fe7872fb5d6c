package variable

import (
	"bytes"
	"strings"

	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// writers append what the variables stand for, which have one name each; what the request does not have is nothing.
var writers = map[string]func(dst []byte, x *server.Exchange, name string) []byte{
	"args":                of((*server.Exchange).Query),
	"best_http_host":      of((*server.Exchange).Authority),
	"binary_remote_addr":  appendBinaryAddr,
	"escaped_request_uri": appendEscapedTarget,
	"host":                appendHost,
	"http_host":           of((*server.Exchange).Authority),
	"ingress_name": func(dst []byte, x *server.Exchange, _ string) []byte {
		return append(dst, x.Route().Source.Ingress.Name...)
	},
	"is_args": func(dst []byte, x *server.Exchange, _ string) []byte {
		if len(x.Query()) > 0 {
			dst = append(dst, '?')
		}
		return dst
	},
	"namespace": func(dst []byte, x *server.Exchange, _ string) []byte {
		return append(dst, x.Route().Source.Ingress.Namespace...)
	},
	"pass_access_scheme": appendBelievedScheme,
	"query_string":       of((*server.Exchange).Query),
	"remote_addr":        appendClient,
	"req_id": func(dst []byte, x *server.Exchange, _ string) []byte {
		return append(dst, x.RequestField("X-Request-ID")...)
	},
	"request_method": of((*server.Exchange).Method),
	"request_uri":    appendTarget,
	"scheme":         appendScheme,
	"service_name": func(dst []byte, x *server.Exchange, _ string) []byte {
		if to := x.Backend(); to != nil {
			dst = append(dst, to.Key.Service...)
		}
		return dst
	},
	"service_port": func(dst []byte, x *server.Exchange, _ string) []byte {
		if to := x.Backend(); to != nil {
			dst = append(dst, to.Key.Port...)
		}
		return dst
	},
	"the_real_ip": appendClient,
	"uri":         of((*server.Exchange).Path),
}

const fieldPrefix = "http_"

// families append what the variables stand for whose names begin so; the rest of it is name.
var families = map[string]func(dst []byte, x *server.Exchange, name string) []byte{
	fieldPrefix: func(dst []byte, x *server.Exchange, name string) []byte {
		return append(dst, x.RequestField(name)...)
	},
	"cookie_": appendCookie,
	"arg_": func(dst []byte, x *server.Exchange, name string) []byte {
		value, _ := parameter(x.Query(), '&', name)
		return append(dst, value...)
	},
}

// of makes the writer of what an Exchange has as it was sent.
func of(get func(*server.Exchange) []byte) func([]byte, *server.Exchange, string) []byte {
	return func(dst []byte, x *server.Exchange, _ string) []byte { return append(dst, get(x)...) }
}

// appendHost appends the host without a port, in lower case as nginx has it.
func appendHost(dst []byte, x *server.Exchange, _ string) []byte {
	for _, c := range x.Host() {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

// appendClient appends the client's address.
func appendClient(dst []byte, x *server.Exchange, _ string) []byte { return x.Client().AppendTo(dst) }

// appendBinaryAddr appends the client's address in 4 bytes, or 16.
func appendBinaryAddr(dst []byte, x *server.Exchange, _ string) []byte {
	addr := x.Client()
	if addr.Is4() {
		four := addr.As4()
		return append(dst, four[:]...)
	}
	sixteen := addr.As16()
	return append(dst, sixteen[:]...)
}

// appendScheme appends that of the connection, and appendBelievedScheme what a trusted proxy says of the client's.
func appendScheme(dst []byte, x *server.Exchange, _ string) []byte {
	if x.Secure() {
		return append(dst, "https"...)
	}
	return append(dst, "http"...)
}

func appendBelievedScheme(dst []byte, x *server.Exchange, _ string) []byte {
	switch s := x.RequestField("X-Forwarded-Proto"); string(s) {
	case "http", "https":
		return append(dst, s...)
	}
	return appendScheme(dst, x, "")
}

// appendTarget appends path and query as they were sent, with the path that "http://host" stands for.
func appendTarget(dst []byte, x *server.Exchange, _ string) []byte {
	target := x.Target()
	if len(target) == 0 || target[0] == '?' {
		dst = append(dst, '/')
	}
	return append(dst, target...)
}

// appendEscapedTarget appends it as one component of a URL.
func appendEscapedTarget(dst []byte, x *server.Exchange, _ string) []byte {
	const hex = "0123456789ABCDEF"
	target := x.Target()
	if len(target) == 0 || target[0] == '?' {
		dst = append(dst, "%2F"...)
	}
	for _, c := range target {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			dst = append(dst, c)
		default:
			dst = append(dst, '%', hex[c>>4], hex[c&15])
		}
	}
	return dst
}

func appendCookie(dst []byte, x *server.Exchange, name string) []byte {
	value, _ := Cookie(x, name)
	return append(dst, value...)
}

// Cookie returns the value of the first cookie of that name, in any case as in nginx' variables. It is for the request phase,
// and valid until the Filter returns.
//
// hot: runs per request; no alloc, no lock.
func Cookie(x *server.Exchange, name string) (value []byte, ok bool) { return cookie(x, name, false) }

// CookieExactly is Cookie for a name in the case in which it is written, as RFC 6265 has it.
//
// hot: runs per request; no alloc, no lock.
func CookieExactly(x *server.Exchange, name string) (value []byte, ok bool) {
	return cookie(x, name, true)
}

// cookie looks at all the fields that cookies stand in: there may be several in HTTP/2 (RFC 9113 section 8.2.3).
func cookie(x *server.Exchange, name string, exactly bool) (value []byte, ok bool) {
	req, head := x.Head()
	if req == nil {
		return nil, false
	}
	for i := range req.Fields {
		f := &req.Fields[i]
		if f.Hop || !message.EqualFold(f.Name.Of(head), "Cookie") {
			continue
		}
		list := f.Value.Of(head)
		for {
			if list, value, ok = nextParameter(list, ';', name, exactly); ok || list == nil {
				break
			}
		}
		if ok {
			return value, true
		}
	}
	return nil, false
}

// parameter returns the value of the first name=value in a list.
func parameter(list []byte, separator byte, name string) (value []byte, ok bool) {
	for len(list) > 0 {
		if list, value, ok = nextParameter(list, separator, name, false); ok {
			return value, true
		}
	}
	return nil, false
}

// nextParameter looks at the first name=value of a list, and returns the rest of the list; nil for nothing.
func nextParameter(list []byte, separator byte, name string, exactly bool) (rest, value []byte, ok bool) {
	part := list
	if i := bytes.IndexByte(list, separator); i >= 0 {
		part, rest = list[:i], list[i+1:]
	}
	part = bytes.Trim(part, " \t")
	i := bytes.IndexByte(part, '=')
	if i < 0 || exactly && string(part[:i]) != name || !message.EqualFold(part[:i], name) {
		return rest, nil, false
	}
	return rest, part[i+1:], true
}
