package tlsconn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"testing"
)

// clientHello returns what crypto/tls sends first.
func clientHello(t testing.TB) []byte {
	q, o := newQueue(), &end{}
	c, err := NewHandshakes(Limits{}).Client(Params{Config: clientConfig(), Loop: q, Owner: o, Buffers: &o.heap})
	if err != nil {
		t.Fatal(err)
	}
	q.run()
	o.Conn = c
	hello := o.advance()
	c.Close(nil)
	return hello
}

// cut puts the handshake bytes of one record into records of n bytes.
func cut(record []byte, n int) []byte {
	var out []byte
	for body := record[recordHeader:]; len(body) > 0; {
		m := min(n, len(body))
		out = append(append(out, 22, 3, 1, byte(m>>8), byte(m)), body[:m]...)
		body = body[m:]
	}
	return out
}

func TestHello(t *testing.T) {
	hello := clientHello(t)
	message := func(n int) []byte { return []byte{1, byte(n >> 16), byte(n >> 8), byte(n)} }
	record := func(n int, b []byte) []byte { return append([]byte{22, 3, 1, byte(n >> 8), byte(n)}, b...) }
	tests := []struct {
		name string
		in   []byte
		want Status
	}{
		{"nothing", nil, Partial},
		{"whole", hello, Whole},
		{"whole with more behind", append(bytes.Clone(hello), "more"...), Whole},
		{"without its last byte", hello[:len(hello)-1], Partial},
		{"in records of 100", cut(hello, 100), Whole},
		{"in records of 3", cut(hello, 3), NotTLS}, // more than maxHelloRecords
		{"HTTP", []byte("GET"), NotTLS},
		{"SSLv2", []byte{0x80, 0x2e, 1}, NotTLS},
		{"SSL 2 version", []byte{22, 2}, NotTLS},
		{"an alert", []byte{21, 3, 1, 0, 2}, NotTLS},
		{"another message", record(100, []byte{2}), NotTLS},
		{"an empty record", record(0, nil), NotTLS},
		{"too large a record", record(16<<10+1, nil), NotTLS},
		{"the largest message", record(100, message(MaxHello-4)), Partial},
		{"too large a message", record(100, message(MaxHello-3)), TooLarge},
		{"too large a message, header cut", append(record(2, message(0xffff)[:2]), record(2, message(0xffff)[2:])...), TooLarge},
		{"endless", record(16<<10, append(message(MaxHello-4), make([]byte, MaxHello)...))[:MaxHello], TooLarge},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := new(Hello).Scan(test.in); got != test.want {
				t.Errorf("at once: %d, want %d", got, test.want)
			}
			var h Hello
			got := h.Scan(nil)
			for n := 1; n <= len(test.in) && got == Partial; n++ {
				got = h.Scan(test.in[:n])
			}
			if got != test.want {
				t.Errorf("byte by byte: %d, want %d", got, test.want)
			}
		})
	}
}

// FuzzHello compares Scan with crypto/tls: what is Whole is enough for it to see the ClientHello, or to
// refuse it; while Partial it has not seen it. And Scan says the same however the bytes arrive.
func FuzzHello(f *testing.F) {
	hello := clientHello(f)
	f.Add(hello, uint8(0))
	f.Add(hello[:100], uint8(1))
	f.Add(cut(hello, 40), uint8(7))
	f.Add([]byte{22, 3, 1, 0, 4, 1, 0, 0, 0}, uint8(1))
	f.Add([]byte{22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 3, 0, 0, 0}, uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, step uint8) {
		got := new(Hello).Scan(in)
		if step > 0 {
			var h Hello
			pieces := Partial
			for n := 0; n < len(in) && pieces == Partial; {
				n = min(n+int(step), len(in))
				pieces = h.Scan(in[:n])
			}
			// The first of two faults that is here decides.
			if pieces != got && (pieces < NotTLS || got < NotTLS) && !(pieces == TooLarge || got == TooLarge) {
				t.Errorf("at once %d, in steps of %d %d", got, step, pieces)
			}
		}
		seen := false
		config := &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			seen = true
			return nil, errors.New("seen")
		}}
		err := tls.Server(&replay{in: bytes.NewReader(in)}, config).Handshake()
		wantsMore := !seen && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF))
		if got == Whole && wantsMore {
			t.Errorf("Whole, but crypto/tls wants more: %v", err)
		}
		if got == Partial && seen {
			t.Error("Partial, but crypto/tls has seen it all")
		}
	})
}

// replay is a connection that ends after in.
type replay struct {
	net.Conn
	in io.Reader
}

func (r *replay) Read(p []byte) (int, error)  { return r.in.Read(p) }
func (r *replay) Write(p []byte) (int, error) { return len(p), nil }
