package h1

import "github.com/sluice-gateway/sluice/server/internal/message"

// maxNominations bounds how many unknown connection options one head may list, because each is
// compared with every field.
const maxNominations = 64

// connection notes one Connection field. The fields that it nominates are marked when the head is
// complete, because a nominated field may stand behind it.
func (p *parser) connection(v []byte) {
	switch string(v) { // nearly all values
	case "keep-alive", "Keep-Alive":
		p.keepAlive = true
		return
	case "close":
		p.close = true
		return
	}
	for option, rest := message.NextElement(v); option != nil; option, rest = message.NextElement(rest) {
		switch {
		case message.EqualFold(option, "keep-alive"):
			p.keepAlive = true
		case message.EqualFold(option, "close"):
			p.close = true
		case message.EqualFold(option, "upgrade"):
			p.upgrade = true
		case message.EqualFold(option, "te"): // hop-by-hop whether nominated or not
		default:
			p.nominates = true
		}
	}
}

// finishConnection computes the flags that depend on Connection and the version, and marks the
// nominated fields. "close" wins over "keep-alive", and both over the version's default.
func (p *parser) finishConnection(h *message.Head, b []byte) Error {
	h.KeepAlive = !p.close && (h.Minor == 1 || p.keepAlive)
	h.Upgrade = p.upgrade && h.Minor == 1 && h.Seen.Has(message.FieldUpgrade)
	if !p.nominates {
		return ErrNone
	}
	options := 0
	for i := range h.Fields {
		if h.Fields[i].ID != message.FieldConnection {
			continue
		}
		v := h.Fields[i].Value.Of(b)
		for option, rest := message.NextElement(v); option != nil; option, rest = message.NextElement(rest) {
			if options++; options > maxNominations {
				return ErrConnectionList
			}
			nominate(h, b, option)
		}
	}
	return ErrNone
}

// nominate marks the fields named name. An element that is no token names no field.
func nominate(h *message.Head, b []byte, name []byte) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name.Len() == len(name) && !message.ProtectedFields.Has(f.ID) && message.EqualFold(f.Name.Of(b), name) {
			f.Hop = true
		}
	}
}
