package access

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// bearer returns the token of a request (RFC 6750): that of the field Authorization, or else of a cookie, whose name may be "" for
// none. It is nil where there is none. again is true where there are two fields: the Backend may look at the other one.
//
// hot: runs per request; no alloc, no lock.
func bearer(x *server.Exchange, cookie string) (token []byte, again bool) {
	req, head := x.Head()
	seen := false
	for i := range req.Fields {
		f := &req.Fields[i]
		if f.ID != message.FieldAuthorization || f.Hop {
			continue
		}
		if seen {
			return nil, true
		}
		seen = true
		token = bearerOf(f.Value.Of(head))
	}
	if token == nil && cookie != "" {
		token = cookieOf(x, cookie)
	}
	return token, false
}

// bearerOf returns the token in the value of a field Authorization, nil for another scheme.
func bearerOf(value []byte) []byte {
	const scheme = "Bearer "
	if len(value) <= len(scheme) || !message.EqualFold(value[:len(scheme)], scheme) {
		return nil
	}
	return bytes.TrimLeft(value[len(scheme):], " ")
}

// cookieOf returns the value of the first cookie of that name, nil for none. Cookies may stand in several fields in HTTP/2 (RFC 9113
// section 8.2.3).
//
// hot: runs per request; no alloc, no lock.
func cookieOf(x *server.Exchange, name string) []byte {
	req, head := x.Head()
	for i := range req.Fields {
		f := &req.Fields[i]
		if f.Hop || !message.EqualFold(f.Name.Of(head), "Cookie") {
			continue
		}
		if value := cookieIn(f.Value.Of(head), name); value != nil {
			return value
		}
	}
	return nil
}

// cookieIn is cookieOf for the value of one field.
func cookieIn(field []byte, name string) []byte {
	for len(field) > 0 {
		part := field
		if at := bytes.IndexByte(field, ';'); at >= 0 {
			part, field = field[:at], field[at+1:]
		} else {
			field = nil
		}
		part = bytes.Trim(part, " \t")
		if len(part) > len(name) && part[len(name)] == '=' && string(part[:len(name)]) == name {
			return part[len(name)+1:]
		}
	}
	return nil
}

// dropField keeps a client's field from the Backend, and all that a Backend may take for it: X_User is X-User for programs that
// make variables of fields.
func dropField(x *server.Exchange, name string) {
	req, head := x.Head()
	for i := range req.Fields {
		f := &req.Fields[i]
		if other := f.Name.Of(head); !f.Hop && len(other) == len(name) && alike(other, name) && !message.EqualFold(other, name) {
			x.DropRequestField(string(other))
		}
	}
	x.DropRequestField(name)
}

// alike reports whether two names differ in case alone, and in what is no letter and no digit.
func alike(a []byte, b string) bool {
	for i := range a {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case 'A' <= c && c <= 'Z':
		return c | 0x20
	case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		return c
	}
	return '-'
}
