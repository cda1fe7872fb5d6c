package policy

import (
	"slices"
	"strconv"
)

// KindCORS is the Kind of CORS.
const KindCORS Kind = "cors"

// CORS names the origins whose pages may read responses (Fetch standard, section 3.2;
// nginx.ingress.kubernetes.io/enable-cors and cors-*).
type CORS struct {
	// Origins are the allowed ones: "*" alone for every one, or "null" and scheme://host[:port], where a host that begins
	// with "*." stands for names with one label of letters, digits and hyphens in its place. In lower case, as they are
	// compared, and sorted. Never empty.
	Origins []string
	// Methods, Headers and Expose are the values of Access-Control-Allow-Methods, -Allow-Headers and -Expose-Headers;
	// "" leaves the field out.
	Methods, Headers, Expose string
	// Credentials allows requests with cookies.
	Credentials bool
	// MaxAge is how long browsers may keep the answer to a preflight, seconds; -1 for not at all.
	MaxAge int
}

// Kind implements Filter.
func (*CORS) Kind() Kind { return KindCORS }

// Equal implements Filter.
func (c *CORS) Equal(f Filter) bool {
	o := f.(*CORS)
	return slices.Equal(c.Origins, o.Origins) && c.Methods == o.Methods && c.Headers == o.Headers && c.Expose == o.Expose &&
		c.Credentials == o.Credentials && c.MaxAge == o.MaxAge
}

// AppendText implements Filter.
func (c *CORS) AppendText(b []byte) []byte {
	b = append(b, "origins "...)
	for i, o := range c.Origins {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, Word(o)...)
	}
	for _, f := range [...]struct{ name, value string }{{" methods ", c.Methods}, {" headers ", c.Headers}, {" expose ", c.Expose}} {
		if f.value != "" {
			b = append(append(b, f.name...), Word(f.value)...)
		}
	}
	if c.Credentials {
		b = append(b, " credentials"...)
	}
	return strconv.AppendInt(append(b, " max age "...), int64(c.MaxAge), 10)
}
