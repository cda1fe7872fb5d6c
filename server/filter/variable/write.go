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
	"escaped_request_uri": appendEscapedTarget,
	"host":                appendHost,
	"http_host":           of((*server.Exchange).Authority),
	"ingress_name": func(dst []byte, x *server.Exchange, _ string) []byte {
		return append(dst, x.Route().Source.Ingress.Name...)
	},
	"namespace": func(dst []byte, x *server.Exchange, _ string) []byte {
		return append(dst, x.Route().Source.Ingress.Namespace...)
	},
	"pass_access_scheme": appendBelievedScheme,
	"remote_addr":        func(dst []byte, x *server.Exchange, _ string) []byte { return x.Client().AppendTo(dst) },
	"request_method":     of((*server.Exchange).Method),
	"request_uri":        appendTarget,
	"scheme":             appendScheme,
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
	"uri": of((*server.Exchange).Path),
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

// Cookie returns the value of the first cookie of that name, in any case as in nginx. They may stand in several fields in
// HTTP/2 (RFC 9113 section 8.2.3). It is for the request phase, and valid until the Filter returns.
//
// hot: runs per request; no alloc, no lock.
func Cookie(x *server.Exchange, name string) (value []byte, ok bool) {
	req, head := x.Head()
	if req == nil {
		return nil, false
	}
	for i := range req.Fields {
		if f := &req.Fields[i]; !f.Hop && message.EqualFold(f.Name.Of(head), "Cookie") {
			if value, ok := parameter(f.Value.Of(head), ';', name); ok {
				return value, true
			}
		}
	}
	return nil, false
}

// parameter returns the value of the first name=value in a list.
func parameter(list []byte, separator byte, name string) (value []byte, ok bool) {
	for len(list) > 0 {
		part := list
		if i := bytes.IndexByte(list, separator); i >= 0 {
			part, list = list[:i], list[i+1:]
		} else {
			list = nil
		}
		part = bytes.Trim(part, " \t")
		if i := bytes.IndexByte(part, '='); i >= 0 && message.EqualFold(part[:i], name) {
			return part[i+1:], true
		}
	}
	return nil, false
}
