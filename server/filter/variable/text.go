package variable

import (
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Text is text with variables, ready to be written for requests. It is immutable; the zero value is empty text.
type Text []Part

// Part is text, or a variable.
type Part struct {
	text string
	// write is nil for text. name is the part of the variable's name that says which: of a field, a cookie or a parameter.
	write func(dst []byte, x *server.Exchange, name string) []byte
	name  string
}

// Parse makes a Text of what policy.ParseTemplate takes.
func Parse(s string, known policy.Variables) (Text, error) {
	parts, err := policy.ParseTemplate(s, known)
	if err != nil {
		return nil, err
	}
	text := make(Text, len(parts))
	for i, p := range parts {
		if p.Variable == "" {
			text[i].text = p.Text
		} else if text[i].write, text[i].name = find(p.Variable); text[i].write == nil {
			return nil, fmt.Errorf("nothing is known of the variable %s", policy.Word(p.Variable))
		}
	}
	return text, nil
}

// find returns what writes a variable, nil for nothing.
func find(name string) (write func([]byte, *server.Exchange, string) []byte, rest string) {
	if w := writers[name]; w != nil {
		return w, ""
	}
	for prefix, w := range families {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			if prefix == fieldPrefix {
				rest = strings.ReplaceAll(rest, "_", "-")
			}
			return w, rest
		}
	}
	return nil, ""
}

// Must is Parse of a text of the gateway's own.
func Must(s string, known policy.Variables) Text {
	text, err := Parse(s, known)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return text
}

// Append appends the text for a request.
//
// hot: runs per request; no alloc, no lock.
func (t Text) Append(dst []byte, x *server.Exchange) []byte {
	for i := range t {
		dst = t[i].Append(dst, x)
	}
	return dst
}

// For returns the text for a request.
func (t Text) For(x *server.Exchange) string { return string(t.Append(nil, x)) }

// Variable reports whether the Part is one.
func (p *Part) Variable() bool { return p.write != nil }

// Append appends the Part for a request.
//
// hot: runs per request; no alloc, no lock.
func (p *Part) Append(dst []byte, x *server.Exchange) []byte {
	if p.write == nil {
		return append(dst, p.text...)
	}
	return p.write(dst, x, p.name)
}
