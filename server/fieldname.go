package server

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// What clients may say: names that Backends fold into others (see message.Fold), fields that speak about the
// client, which only the gateway may, and the same in trailer sections.

// nameRule says which field names of requests are passed on. Settings have one.
type nameRule uint8

const (
	namesPlain      nameRule = iota // letters, digits and hyphens
	namesUnderscore                 // and underscores
	namesToken                      // all of RFC 9110 section 5.6.2
)

var nameRules = map[string]nameRule{"plain": namesPlain, "underscore": namesUnderscore, "token": namesToken}

// passes reports whether a field whose name is a FieldOdd goes on. One that a Backend may read as one that
// the gateway sets, or believes from others, never does.
func (r nameRule) passes(name []byte) bool {
	if r == namesPlain {
		return false
	}
	if r == namesUnderscore {
		for _, c := range name {
			if c != '_' && message.Class[c]&message.ClassPlain == 0 {
				return false
			}
		}
	}
	var room [64]byte
	plain := message.Fold(room[:0], name)
	id := message.LookupField(plain)
	return (id == message.FieldOther || !message.PlainOnly.Has(id)) && claims(plain) == claimNone
}

// claim is what an otherwise unknown name says about the client.
type claim uint8

const (
	claimNone        claim = iota
	claimForwarded         // where its request comes from, or how it came
	claimCertificate       // what certificate it has shown
)

// claims names the claim of a field with that name. Besides the names that this gateway and ingress-nginx
// write, these are what Backends are told by other proxies (HAProxy, Envoy, Traefik), and RFC 9440: a
// Backend that was behind one of them believes it.
//
// hot: runs per field with an unknown name; no alloc, no lock.
func claims(name []byte) claim {
	if len(name) < len("client-cert") {
		return claimNone
	}
	switch name[0] | 0x20 {
	case 's':
		if name[1]|0x20 == 's' && begins(name, "ssl-client-") {
			return claimCertificate
		}
	case 'c':
		if begins(name, "client-cert") {
			return claimCertificate
		}
	case 'x':
		switch name[2] | 0x20 {
		case 'f':
			switch {
			case !begins(name, "x-forwarded-"):
			case begins(name, "x-forwarded-client-cert"), begins(name, "x-forwarded-tls-client-"):
				return claimCertificate
			default:
				return claimForwarded
			}
		case 'o':
			if begins(name, "x-original-forwarded-") {
				return claimForwarded
			}
		case 'c':
			if begins(name, "x-client-cert") || begins(name, "x-client-verify") || begins(name, "x-client-dn") {
				return claimCertificate
			}
		case 's':
			if begins(name, "x-ssl-client-") {
				return claimCertificate
			}
		}
	}
	return claimNone
}

// begins reports whether name begins with prefix, which is in lower case.
func begins(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && message.EqualFold(name[:len(prefix)], prefix)
}

// trailerRule says which fields of a trailer section go on: those that would in a head, less those that
// must not stand there (RFC 9110, 6.5.1). Without them the message is as good as it was. The zero value is
// for responses.
type trailerRule struct {
	request bool
	names   nameRule // of requests
	// nominated are Connection's values, joined, where they may name a trailer: RFC 9110 section 7.6.1.
	nominated []byte
}

// mark sets Hop for those fields of a section, indexed by h over b, that stay behind.
func (r *trailerRule) mark(fields []message.Field, b []byte) {
	for i := range fields {
		f := &fields[i]
		switch {
		case message.NotTrailers.Has(f.ID):
			f.Hop = true
		case !r.request:
		case f.ID == message.FieldXRequestID:
			f.Hop = true
		case f.ID == message.FieldOdd:
			f.Hop = f.Hop || !r.names.passes(f.Name.Of(b))
		case f.ID == message.FieldOther:
			f.Hop = f.Hop || claims(f.Name.Of(b)) != claimNone
		}
		for option, rest := message.NextElement(r.nominated); option != nil; option, rest = message.NextElement(rest) {
			f.Hop = f.Hop || message.EqualFold(option, f.Name.Of(b))
		}
	}
}

// filter returns what goes on of lines, which it overwrites: field lines that the codec has validated.
func (r *trailerRule) filter(lines []byte) []byte {
	var room [8]message.Field
	fields, err := h1.ParseTrailer(room[:0], lines)
	if err != h1.ErrNone {
		return lines[:0] // not to be reached; nothing unknown goes on
	}
	r.mark(fields, lines)
	kept := lines[:0]
	for i := range fields {
		end := len(lines)
		if i+1 < len(fields) {
			end = int(fields[i+1].Name.Off)
		}
		if !fields[i].Hop {
			kept = append(kept, lines[fields[i].Name.Off:end]...)
		}
	}
	return kept
}

// nominate takes note of what a head's Connection fields may say about the trailers of its message. What
// nearly all of them hold says nothing.
//
// hot: runs per message with trailers allowed; no alloc but where something is nominated.
func (r *trailerRule) nominate(h *message.Head, head []byte) {
	if !h.Has(message.FieldConnection) {
		return
	}
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == message.FieldConnection {
			v := f.Value.Of(head)
			if !message.EqualFold(v, "keep-alive") && !message.EqualFold(v, "close") {
				r.nominated = append(append(r.nominated, v...), ',')
			}
		}
	}
}
