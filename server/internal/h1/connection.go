package h1

import "bytes"

// maxNominations bounds how many unknown connection options one head may list, because each is
// compared with every field.
const maxNominations = 64

// connection takes note of one Connection field. What it nominates is marked when the head is
// complete, because the nominated field may stand behind it.
func (h *Head) connection(v []byte) {
	switch string(v) { // nearly all there are
	case "keep-alive", "Keep-Alive":
		h.keepAlive = true
		return
	case "close":
		h.close = true
		return
	}
	for option, rest := nextElement(v); option != nil; option, rest = nextElement(rest) {
		switch {
		case equalFold(option, "keep-alive"):
			h.keepAlive = true
		case equalFold(option, "close"):
			h.close = true
		case equalFold(option, "upgrade"):
			h.upgrade = true
		case equalFold(option, "te"): // hop-by-hop whether nominated or not
		default:
			h.nominates = true
		}
	}
}

// finishConnection computes what depends on Connection and the version, and marks the nominated
// fields. "close" wins over "keep-alive", and both over the version's default.
func (h *Head) finishConnection(b []byte) Error {
	h.KeepAlive = !h.close && (h.Minor == 1 || h.keepAlive)
	h.Upgrade = h.upgrade && h.Minor == 1 && h.seen.has(FieldUpgrade)
	if !h.nominates {
		return ErrNone
	}
	options := 0
	for i := range h.Fields {
		if h.Fields[i].ID != FieldConnection {
			continue
		}
		v := h.Fields[i].Value.Of(b)
		for option, rest := nextElement(v); option != nil; option, rest = nextElement(rest) {
			if options++; options > maxNominations {
				return ErrConnectionList
			}
			h.nominate(b, option)
		}
	}
	return ErrNone
}

// nominate marks the fields named name. An element that is no token names no field.
func (h *Head) nominate(b []byte, name []byte) {
	for i := range h.Fields {
		f := &h.Fields[i]
		if f.Name.Len() == len(name) && !protectedFields.has(f.ID) && equalFold(f.Name.Of(b), name) {
			f.Hop = true
		}
	}
}

// nextElement takes the first non-empty element off a comma-separated list and trims it. element is
// nil when there is none.
func nextElement(list []byte) (element, rest []byte) {
	for len(list) > 0 {
		i := bytes.IndexByte(list, ',')
		element, rest = list, nil
		if i >= 0 {
			element, rest = list[:i], list[i+1:]
		}
		for len(element) > 0 && (element[0] == ' ' || element[0] == '\t') {
			element = element[1:]
		}
		for n := len(element); n > 0 && (element[n-1] == ' ' || element[n-1] == '\t'); n-- {
			element = element[:n-1]
		}
		if len(element) > 0 {
			return element, rest
		}
		list = rest
	}
	return nil, nil
}
