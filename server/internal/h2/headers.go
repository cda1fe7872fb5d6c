package h2

import (
	"github.com/sluice-gateway/sluice/server/internal/hpack"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// The seam to HPACK: its numbers for names, in package message's terms.
//
// A peer repeats itself, and HPACK then sends a reference to the dynamic table. So the result of
// examining an entry is kept with it (Annotate), and a field that refers to the entry is not examined
// again: its name was valid and has a FieldID, and a mark records that its value was valid as well.

// firstName is the NameID of message.FieldOther; those of the other FieldIDs follow.
const firstName = hpack.FirstFreeID

// markValue marks entries whose value is valid.
const markValue = 1

// fieldOf holds the FieldID for each NameID, nameOf the NameID of the static table for each FieldID.
var fieldOf, nameOf = buildNames()

func buildNames() (fields [256]message.FieldID, names [64]hpack.NameID) {
	for id := hpack.NameAuthority; id <= hpack.NameWWWAuthenticate; id++ {
		if f := message.LookupField([]byte(id.String())); f != message.FieldOther && names[f] == 0 {
			fields[id] = f
			names[f] = id
		}
	}
	for f := range names {
		fields[int(firstName)+f] = message.FieldID(f)
	}
	return fields, names
}

// pseudoOf holds the pseudo-field for each NameID of one, and pseudoCount for all others.
var pseudoOf = func() (t [256]uint8) {
	for i := range t {
		t[i] = pseudoCount
	}
	for i, name := range pseudoNames {
		if id := hpack.LookupName([]byte(name)); id != hpack.NameOther {
			t[id] = uint8(i)
		}
	}
	return t
}()

// decoder reads the peer's header blocks.
type decoder struct{ d hpack.Decoder }

func (d *decoder) init() { d.d = hpack.NewDecoder() }

// decode reads one block into a, and reports whether it was well-formed.
//
// hot: runs per head; no alloc, no lock.
func (d *decoder) decode(p []byte, a *assembler) bool {
	f := &a.hpack
	pos, err := d.d.Begin(p)
	for err == hpack.ErrNone && pos < len(p) {
		pos, err = d.d.Next(p, pos, f)
		if err == hpack.ErrNone && a.kind != kindNothing && a.fault == FaultNone {
			a.field(d, f)
		}
	}
	return err == hpack.ErrNone
}

// skip reads the whole fields at the front of p, and returns where the first incomplete one begins. first means
// that p begins the block.
func (d *decoder) skip(p []byte, first bool, f *hpack.Field) (pos int, ok bool) {
	err := hpack.ErrNone
	if first {
		if pos, err = d.d.Begin(p); err != hpack.ErrNone {
			return pos, false
		}
	}
	for pos < len(p) {
		next, err := d.d.Next(p, pos, f)
		switch err {
		case hpack.ErrNone:
			pos = next
		case hpack.ErrTruncated:
			return pos, true
		default:
			return pos, false
		}
	}
	return pos, true
}

// encoder writes our header blocks. Between begin and end it holds the output.
type encoder struct {
	e   hpack.Encoder
	out []byte
}

func (e *encoder) init(c *Config) { e.e = hpack.NewEncoder(c.TableSize) }

// begin begins a block behind dst; end returns it.
func (e *encoder) begin(dst []byte) { e.out = e.e.Begin(dst) }

func (e *encoder) end() []byte {
	out := e.out
	e.out = nil
	return out
}

// field writes one field whose name is in any case; id is the name where it is known.
//
// hot: runs per field; no alloc, no lock.
func (e *encoder) field(id message.FieldID, name, value []byte, sensitive bool) {
	how := hpack.IndexAuto
	if sensitive {
		how = hpack.IndexNever
	}
	if known := nameOf[id&63]; known != 0 {
		e.out = e.e.AppendKnown(e.out, known, value, how)
		return
	}
	e.out = e.e.AppendFolded(e.out, name, value, how)
}

func (e *encoder) pseudo(id hpack.NameID, value []byte) {
	e.out = e.e.AppendKnown(e.out, id, value, hpack.IndexAuto)
}

// protocol writes :protocol, which HPACK's static table does not have.
func (e *encoder) protocol(value []byte) {
	e.out = e.e.AppendField(e.out, nameProtocol, value, hpack.IndexAuto)
}

func (e *encoder) status(code int) { e.out = e.e.AppendStatus(e.out, code) }

var nameProtocol = []byte(":protocol")
