package tlsconn

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"reflect"
	"unsafe"
)

// inner are fields of a tls.Conn that hold on to memory which is of no use between two records, each as its offset
// in the struct. crypto/tls has no method that frees them, and they were more than half of an idle connection:
//
//   - rawInput, where records are read and decrypted, never shrinks: 2.3 KiB after a ClientHello with an ML-KEM
//     key, 19 KiB after a record of 16 KiB. A Conn lends it memory for as long as a Read needs it.
//   - hand, where handshake messages are put together, has had the ClientHello: 1.8 KiB.
//   - ekm, which exports keys, holds the whole ClientHello too where the version is TLS 1.2.
//   - peerCertificates, verifiedChains and resumptionSecret. A server's are read once, by Params.Check and for its
//     tickets, which it sends in the handshake; a client's go into its sessions.
//
// A field is looked up by its name, once, and has to be of the type that is expected. Where one is missing, or Go is of a
// version whose crypto/tls was not read for this (innerReviewed), all are left alone, which costs memory and nothing else;
// TestInnerFields says so.
type inner struct {
	known                            bool
	rawInput, input, hand            uintptr // bytes.Buffer, bytes.Reader, bytes.Buffer
	ekm                              uintptr
	resumptionSecret                 uintptr
	peerCertificates, verifiedChains uintptr
}

// exporter is the type of ekm.
type exporter = func(label string, context []byte, length int) ([]byte, error)

// fieldsOf is the inner of every tls.Conn.
var fieldsOf = findInner(reflect.TypeFor[tls.Conn]())

func findInner(conn reflect.Type) inner {
	if !innerReviewed {
		return inner{}
	}
	f := inner{known: true}
	for _, want := range []struct {
		name string
		typ  reflect.Type
		at   *uintptr
	}{
		{"rawInput", reflect.TypeFor[bytes.Buffer](), &f.rawInput},
		{"input", reflect.TypeFor[bytes.Reader](), &f.input},
		{"hand", reflect.TypeFor[bytes.Buffer](), &f.hand},
		{"ekm", reflect.TypeFor[exporter](), &f.ekm},
		{"resumptionSecret", reflect.TypeFor[[]byte](), &f.resumptionSecret},
		{"peerCertificates", reflect.TypeFor[[]*x509.Certificate](), &f.peerCertificates},
		{"verifiedChains", reflect.TypeFor[[][]*x509.Certificate](), &f.verifiedChains},
	} {
		field, ok := conn.FieldByName(want.name)
		if !ok || field.Type != want.typ {
			return inner{}
		}
		*want.at = field.Offset
	}
	return f
}

// field is a field of c, which is of type T.
func field[T any](c *tls.Conn, offset uintptr) *T { return (*T)(unsafe.Add(unsafe.Pointer(c), offset)) }

// noExport is the ekm of connections whose own was freed: nothing here exports keys.
func noExport(string, []byte, int) ([]byte, error) {
	return nil, errors.New("BUG: keys of TLS connections are not exported")
}

// firstInput is the least memory that crypto/tls reads into during a handshake.
const firstInput = recordHeader + 512

// preload gives c, which has not begun, a whole record to begin with in memory that it goes on to read into, and reports
// whether it could. c would read the record into two buffers of its own, one after the other, 2.9 KiB where the client's
// key is an ML-KEM one.
func (f *inner) preload(c *tls.Conn, record []byte) bool {
	if f.known {
		*field[bytes.Buffer](c, f.rawInput) = *bytes.NewBuffer(record)
	}
	return f.known
}

// trim frees what c needs no more once its handshake has succeeded.
func (f *inner) trim(c *tls.Conn, client bool) {
	if !f.known {
		return
	}
	*field[exporter](c, f.ekm) = noExport
	if !client {
		*field[[]byte](c, f.resumptionSecret) = nil
		*field[[]*x509.Certificate](c, f.peerCertificates) = nil
		*field[[][]*x509.Certificate](c, f.verifiedChains) = nil
	}
	f.free(c)
}

// free frees the buffers of c in which there is nothing to be read, and reports whether rawInput is one.
//
// hot: runs per read; no alloc, no lock.
func (f *inner) free(c *tls.Conn) bool {
	if hand := field[bytes.Buffer](c, f.hand); hand.Cap() > 0 && hand.Len() == 0 {
		*hand = bytes.Buffer{}
	}
	raw, input := field[bytes.Buffer](c, f.rawInput), field[bytes.Reader](c, f.input)
	if raw.Len() > 0 || input.Len() > 0 {
		return false
	}
	*raw = bytes.Buffer{}
	input.Reset(nil) // it points into the same memory
	return true
}

// InputSize is how much memory a Conn asks of its Buffers for each Read. It holds the largest record, and the 512 bytes
// of room that crypto/tls wants behind one, so that crypto/tls never allocates its own.
const InputSize = 20 << 10

// lend gives crypto/tls memory to read into, if it has none.
//
// hot: runs per record; no alloc but where the pool is empty, no lock.
func (c *Conn) lend() {
	if c.lent != nil || !fieldsOf.known {
		return
	}
	if raw := field[bytes.Buffer](c.tls, fieldsOf.rawInput); raw.Len() == 0 && field[bytes.Reader](c.tls, fieldsOf.input).Len() == 0 {
		c.lent = (*[InputSize]byte)(c.buffers.Get(InputSize)[:InputSize])
		*raw = *bytes.NewBuffer(c.lent[:0])
	}
}

// reclaim takes the memory back, unless there is something in it that will be read.
//
// hot: runs per read; no alloc, no lock.
func (c *Conn) reclaim() {
	if c.lent == nil {
		return
	}
	if c.err != nil || c.closed {
		field[bytes.Buffer](c.tls, fieldsOf.rawInput).Reset()
		field[bytes.Reader](c.tls, fieldsOf.input).Reset(nil)
	}
	if fieldsOf.free(c.tls) {
		c.buffers.Put(c.lent[:0])
		c.lent = nil
	}
}
