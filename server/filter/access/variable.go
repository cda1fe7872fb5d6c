package access

import (
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// expand writes a template of policy.ParseTemplate for a request.
func expand(x *server.Exchange, parts []policy.Part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.Variable == "" {
			b.WriteString(p.Text)
		} else {
			b.WriteString(variable(x, p.Variable))
		}
	}
	return b.String()
}

// variable returns what a request has for a variable of nginx, "" for nothing.
func variable(x *server.Exchange, name string) string {
	switch name {
	case "scheme":
		return scheme(x)
	case "pass_access_scheme":
		return believedScheme(x)
	case "host":
		return strings.ToLower(string(x.Host()))
	case "http_host", "best_http_host":
		return authority(x)
	case "request_uri":
		return target(x)
	case "escaped_request_uri":
		return escape(target(x))
	case "uri":
		return string(x.Path())
	case "args":
		return string(x.Query())
	case "request_method":
		return string(x.Method())
	case "remote_addr":
		return x.Client().String()
	}
	if rest, ok := strings.CutPrefix(name, "http_"); ok {
		return string(x.RequestField(strings.ReplaceAll(rest, "_", "-")))
	}
	if rest, ok := strings.CutPrefix(name, "cookie_"); ok {
		return parameter(cookies(x), ";", rest)
	}
	if rest, ok := strings.CutPrefix(name, "arg_"); ok {
		return parameter(string(x.Query()), "&", rest)
	}
	return ""
}

// cookies are those of all fields: HTTP/2 allows several (RFC 9113 section 8.2.3).
func cookies(x *server.Exchange) string {
	req, head := x.Head()
	var all []string
	for i := range req.Fields {
		if f := &req.Fields[i]; !f.Hop && message.EqualFold(f.Name.Of(head), "Cookie") {
			all = append(all, string(f.Value.Of(head)))
		}
	}
	return strings.Join(all, "; ")
}

// parameter returns the value of the first name=value in a list.
func parameter(list, separator, name string) string {
	for part := range strings.SplitSeq(list, separator) {
		if n, value, ok := strings.Cut(strings.Trim(part, " \t"), "="); ok && strings.EqualFold(n, name) {
			return value
		}
	}
	return ""
}

// scheme is that of the connection, and believedScheme what a trusted proxy says of the client's.
func scheme(x *server.Exchange) string {
	if x.Secure() {
		return "https"
	}
	return "http"
}

func believedScheme(x *server.Exchange) string {
	if s := string(x.RequestField("X-Forwarded-Proto")); s == "http" || s == "https" {
		return s
	}
	return scheme(x)
}

// authority is the host that the request is for, with its port, as it was sent.
func authority(x *server.Exchange) string {
	req, head := x.Head()
	return string(req.Authority.Of(head))
}

// target is path and query, as they were sent.
func target(x *server.Exchange) string {
	t := string(x.Path())
	if t == "" {
		t = "/"
	}
	if q := x.Query(); len(q) > 0 {
		t += "?" + string(q)
	}
	return t
}

// escape writes a text as one component of a URL.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	b := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~", c) >= 0:
			b = append(b, c)
		default:
			b = append(b, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(b)
}
