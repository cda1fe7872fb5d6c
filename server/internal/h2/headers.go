package h2

import (
	"golang.org/x/net/http2/hpack"
)

// The seam to HPACK: nothing else in the package names the codec of header fields.

// defaultTableSize is the size of the dynamic table that both sides start with: RFC 9113 section 6.5.2.
const defaultTableSize = 4096

// decoder reads the peer's header blocks.
type decoder struct {
	d    *hpack.Decoder
	sink *assembler
	name []byte
	val  []byte
}

func (d *decoder) init(c *Config) {
	d.d = hpack.NewDecoder(defaultTableSize, d.emit)
	d.d.SetAllowedMaxDynamicTableSize(max(defaultTableSize, c.TableSize))
}

// setTableSize says which size the peer has acknowledged.
func (d *decoder) setTableSize(n uint32) { d.d.SetAllowedMaxDynamicTableSize(n) }

func (d *decoder) emit(f hpack.HeaderField) {
	d.name = append(d.name[:0], f.Name...)
	d.val = append(d.val[:0], f.Value...)
	d.sink.field(d.name, d.val)
}

// decode reads one block, and reports whether it was well-formed.
func (d *decoder) decode(p []byte, sink *assembler) bool {
	d.sink = sink
	_, err := d.d.Write(p)
	if err == nil {
		err = d.d.Close()
	}
	d.sink = nil
	return err == nil
}

// encoder writes our header blocks.
type encoder struct {
	e     *hpack.Encoder
	out   []byte
	lower []byte
}

func (e *encoder) init(c *Config) {
	e.e = hpack.NewEncoder(e)
	e.e.SetMaxDynamicTableSizeLimit(c.TableSize)
}

// setTableSize says how large a table the peer allows.
func (e *encoder) setTableSize(n uint32) { e.e.SetMaxDynamicTableSize(n) }

// Write takes what the encoder makes.
func (e *encoder) Write(p []byte) (int, error) {
	e.out = append(e.out, p...)
	return len(p), nil
}

// begin begins a block behind dst; end returns it.
func (e *encoder) begin(dst []byte) { e.out = dst }

func (e *encoder) end() []byte {
	out := e.out
	e.out = nil
	return out
}

// field writes one field, its name in lower case.
func (e *encoder) field(name, value []byte) {
	e.lower = e.lower[:0]
	for _, c := range name {
		if c-'A' < 26 {
			c |= 0x20
		}
		e.lower = append(e.lower, c)
	}
	_ = e.e.WriteField(hpack.HeaderField{Name: string(e.lower), Value: string(value)})
}

func (e *encoder) pseudo(name string, value []byte) {
	_ = e.e.WriteField(hpack.HeaderField{Name: name, Value: string(value)})
}

func (e *encoder) status(code int) {
	e.pseudo(":status", []byte{byte('0' + code/100), byte('0' + code/10%10), byte('0' + code%10)})
}
