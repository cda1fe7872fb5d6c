package fieldrule

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Trailers is the rule for the fields of a trailer section: those go on that would in a head, except those that must not
// stand in trailers (RFC 9110 section 6.5.1). A message is complete without trailers. The zero value is for responses. Owned
// by one message at a time.
type Trailers struct {
	Request bool  // the trailers are a request's
	Names   Names // the rule for names, of requests alone
	// Nominated holds Connection's values, joined, where they may name a trailer: RFC 9110 section 7.6.1.
	Nominated []byte
}

// Mark sets Hop for those fields of a section, indexed by h over b, that stay behind.
func (r *Trailers) Mark(fields []message.Field, b []byte) {
	for i := range fields {
		f := &fields[i]
		switch {
		case message.NotTrailers.Has(f.ID):
			f.Hop = true
		case !r.Request:
		case f.ID == message.FieldXRequestID:
			f.Hop = true
		case f.ID == message.FieldOdd:
			f.Hop = f.Hop || !r.Names.Pass(f.Name.Of(b))
		case f.ID == message.FieldOther:
			f.Hop = f.Hop || ClaimOf(f.Name.Of(b)) != NoClaim
		}
		for option, rest := message.NextElement(r.Nominated); option != nil; option, rest = message.NextElement(rest) {
			f.Hop = f.Hop || message.EqualFold(option, f.Name.Of(b))
		}
	}
}

// Filter returns the field lines among lines that go on. lines, which the codec has validated, is overwritten.
func (r *Trailers) Filter(lines []byte) []byte {
	var room [8]message.Field
	fields, err := h1.ParseTrailer(room[:0], lines)
	if err != h1.ErrNone {
		return lines[:0] // not reached with validated lines; no other bytes go on
	}
	r.Mark(fields, lines)
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

// Nominate notes the options in a head's Connection fields that may name trailers of its message. Nearly all fields hold
// "keep-alive" or "close", which name none.
//
// hot: runs per message with trailers allowed; no alloc but where something is nominated.
func (r *Trailers) Nominate(h *message.Head, head []byte) {
	if !h.Has(message.FieldConnection) {
		return
	}
	for i := range h.Fields {
		if f := &h.Fields[i]; f.ID == message.FieldConnection {
			v := f.Value.Of(head)
			if !message.EqualFold(v, "keep-alive") && !message.EqualFold(v, "close") {
				r.Nominated = append(append(r.Nominated, v...), ',')
			}
		}
	}
}
