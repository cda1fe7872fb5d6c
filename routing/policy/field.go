package policy

import (
	"errors"
	"fmt"
	"strings"
)

// ownFields are the fields of a request or response that the gateway alone writes, by their names in lower case. A Policy
// that set one would break the framing of messages, speak for the connection, or misstate who the client is.
var ownFields = map[string]string{
	// How a message is framed, and for whom it is.
	"content-length":    framing,
	"transfer-encoding": framing,
	"trailer":           framing,
	"host":              framing,

	// Fields of one connection (RFC 9110 section 7.6.1), and Proxy, which CGI turns into HTTP_PROXY.
	"connection":       hopByHop,
	"keep-alive":       hopByHop,
	"proxy":            hopByHop,
	"proxy-connection": hopByHop,
	"te":               hopByHop,
	"upgrade":          hopByHop,

	// What proxies report about the client.
	"forwarded":          forwarded,
	"x-forwarded-for":    forwarded,
	"x-forwarded-host":   forwarded,
	"x-forwarded-port":   forwarded,
	"x-forwarded-prefix": forwarded,
	"x-forwarded-proto":  forwarded,
	"x-forwarded-scheme": forwarded,
	"x-real-ip":          forwarded,
	"x-request-id":       forwarded,
	"x-scheme":           forwarded,
}

// ownBeginnings are prefixes of the names under which some proxy reports about the client.
var ownBeginnings = []string{
	"client-cert", "ssl-client-", "x-client-cert", "x-client-dn", "x-client-verify", "x-forwarded-", "x-original-forwarded-", "x-ssl-client-",
}

const (
	framing   = "it frames the message"
	hopByHop  = "it belongs to one connection"
	forwarded = "it says who the client is"
)

// OwnField reports whether a field is one that the gateway alone writes, and no other name that begins like one.
func OwnField(name string) bool { return ownFields[strings.ToLower(name)] != "" }

// ValidField returns why a Policy cannot set a field, or nil. The one place that knows: a test in package server compares
// its own lists with these.
//
// Names are compared as Backends see them that make variables of fields: X_Real.IP is X-Real-IP there.
func ValidField(name, value string) error {
	if !isToken(name) {
		return fmt.Errorf("%s is no name of a field: want letters, digits and hyphens", Word(name))
	}
	folded := strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r | 0x20
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '-'
	}, name)
	why := ownFields[folded]
	for _, beginning := range ownBeginnings {
		if why == "" && strings.HasPrefix(folded, beginning) {
			why = forwarded
		}
	}
	if why != "" {
		return fmt.Errorf("the field %s is the gateway's own: %s", name, why)
	}
	if strings.Trim(value, " \t") != value {
		return errors.New("the value of a field neither begins nor ends with white space")
	}
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
		return errors.New("the value of a field has no control characters")
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		alphanumeric := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
		return !alphanumeric && !strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	})
}
