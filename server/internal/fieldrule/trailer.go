package fieldrule

import (
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Trailers says which fields of a trailer section go on: those that would in a head, less those that
// must not stand there (RFC 9110, 6.5.1). Without them the message is as good as it was. The zero value is
// for responses. Owned by one message at a time.
type Trailers struct {
	Request bool  // they are a request's
	Names   Names // of requests
	// Nominated are Connection's values, joined, where they may name a trailer: RFC 9110 section 7.6.1.
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

// Filter returns what goes on of lines, which it overwrites: field lines that the codec has validated.
func (r *Trailers) Filter(lines []byte) []byte {
	var room [8]message.Field
	fields, err := h1.ParseTrailer(room[:0], lines)
	if err != h1.ErrNone {
		return lines[:0] // not to be reached; nothing unknown goes on
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

// Nominate takes note of what a head's Connection fields may say about the trailers of its message. What
// nearly all of them hold says nothing.
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
