package reply

import (
	"bytes"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Cookies changes the cookies that a Backend sets: policy.Cookies.
type Cookies struct{ change cookies }

// NewCookies makes a Cookies.
func NewCookies(f policy.Filter, _ server.Env) (server.Filter, error) {
	p := f.(*policy.Cookies)
	return &Cookies{cookies{p.Domain, p.Path}}, nil
}

var _ server.ResponseFilter = (*Cookies)(nil)

// Name implements server.Filter.
func (*Cookies) Name() string { return string(policy.KindCookies) }

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (c *Cookies) Response(_ *server.Exchange, r *server.Response) server.Verdict {
	r.Change("Set-Cookie", &c.change)
	return server.Continue
}

// cookies changes the attributes of a Set-Cookie.
type cookies struct{ domain, path policy.Change }

// ChangeField implements server.FieldChange. What stands around the values that change stays as it is.
func (c *cookies) ChangeField(dst, value []byte) (out []byte, changed bool) {
	rest := value
	for first := true; len(rest) > 0; first = false {
		part := rest
		if i := bytes.IndexByte(rest, ';'); i >= 0 {
			part = rest[:i+1]
		}
		rest = rest[len(part):]
		if !first {
			var does bool
			if dst, does = c.appendAttribute(dst, part); does {
				changed = true
				continue
			}
		}
		dst = append(dst, part...)
	}
	return dst, changed
}

// appendAttribute appends an attribute whose value changes, with the semicolon behind it if there is one.
func (c *cookies) appendAttribute(dst, part []byte) (out []byte, changed bool) {
	equals := bytes.IndexByte(part, '=')
	if equals < 0 {
		return dst, false
	}
	end := len(part)
	if part[end-1] == ';' {
		end--
	}
	name, begin := bytes.Trim(part[:equals], " \t"), equals+1
	for begin < end && (part[begin] == ' ' || part[begin] == '\t') {
		begin++
	}
	last := end
	for last > begin && (part[last-1] == ' ' || part[last-1] == '\t') {
		last--
	}
	switch value := part[begin:last]; {
	case c.path.From != "" && message.EqualFold(name, "Path"):
		if !bytes.HasPrefix(value, []byte(c.path.From)) {
			return dst, false
		}
		dst = append(append(append(dst, part[:begin]...), c.path.To...), value[len(c.path.From):]...)
	case c.domain.From != "" && message.EqualFold(name, "Domain"):
		if len(value) > 0 && value[0] == '.' {
			begin++
			value = value[1:]
		}
		if !message.EqualFold(value, c.domain.From) {
			return dst, false
		}
		dst = append(append(dst, part[:begin]...), c.domain.To...)
	default:
		return dst, false
	}
	return append(dst, part[last:]...), true
}
