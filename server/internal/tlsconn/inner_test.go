package tlsconn

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"reflect"
	"testing"
)

// TestInnerFields: the Go version is one whose tls.Conn has the fields that are freed. Where this fails nothing is
// broken, but an idle connection takes 4 KiB more, and up to 20, until inner fits the new tls.Conn.
func TestInnerFields(t *testing.T) {
	if !fieldsOf.known {
		t.Error("tls.Conn has not the fields that inner expects, or this version of Go was not read for it: see inner_unknown.go")
	}
}

// TestInnerOfOthers: a struct that differs in one field, by name or type, is left alone.
func TestInnerOfOthers(t *testing.T) {
	//lint:ignore U1000 a struct to be looked at, with the fields of a tls.Conn
	type same struct {
		_                bool
		rawInput, hand   bytes.Buffer
		input            bytes.Reader
		ekm              func(string, []byte, int) ([]byte, error)
		resumptionSecret []byte
		peerCertificates []*x509.Certificate
		verifiedChains   [][]*x509.Certificate
	}
	if f := findInner(reflect.TypeFor[same]()); !f.known || f.rawInput == 0 || f.hand != f.rawInput+reflect.TypeFor[bytes.Buffer]().Size() {
		t.Fatalf("%+v", f)
	}
	for _, other := range []reflect.Type{
		reflect.TypeFor[struct{}](),
		reflect.TypeFor[struct {
			rawInput         bytes.Buffer
			input            bytes.Reader
			ekm              func(string, []byte, int) ([]byte, error)
			resumptionSecret []byte
			peerCertificates []*x509.Certificate
			verifiedChains   [][]*x509.Certificate
		}](),
		reflect.TypeFor[struct {
			rawInput, hand   *bytes.Buffer
			input            bytes.Reader
			ekm              func(string, []byte, int) ([]byte, error)
			resumptionSecret []byte
			peerCertificates []*x509.Certificate
			verifiedChains   [][]*x509.Certificate
		}](),
		reflect.TypeFor[struct {
			rawInput, hand   bytes.Buffer
			input            bytes.Reader
			ekm              func(string, []byte) ([]byte, error)
			resumptionSecret []byte
			peerCertificates []*x509.Certificate
			verifiedChains   [][]*x509.Certificate
		}](),
	} {
		if f := findInner(other); f != (inner{}) {
			t.Errorf("%v: %+v", other, f)
		}
	}
}

// TestInnerUnknown: connections work on a tls.Conn whose fields are not known.
func TestInnerUnknown(t *testing.T) {
	known := fieldsOf
	fieldsOf = inner{}
	defer func() { fieldsOf = known }()
	for _, v := range versions {
		server, client := pair(t, NewHandshakes(Limits{}), serverConfig(v.id), clientConfig(), 0)
		echo(t, server, client, 1<<16)
	}
}

// echo has 100,000 bytes go from client to server and back, in Reads with the given room.
func echo(t *testing.T, server, client *end, room int) {
	t.Helper()
	want := bytes.Repeat([]byte("0123456789"), 10_000)
	for _, way := range []struct{ from, to *end }{{client, server}, {server, client}} {
		p := make([]byte, room)
		raw := way.from.seal(t, want)
		var got []byte
		for more := true; more; more = way.to.Buffered() {
			n, err := way.to.Read(p, raw, false)
			if err != nil {
				t.Fatal(err)
			}
			got, raw = append(got, p[:n]...), nil
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes of %d", len(got), len(want))
		}
	}
}

// TestLentMemory: memory that was lent to crypto/tls comes back with the last byte in it, and what has it until
// then is counted as held; also where the reader is slow, the connection fails or is closed half way.
func TestLentMemory(t *testing.T) {
	for _, v := range versions {
		for _, test := range []struct {
			name string
			end  func(server, client *end, p []byte) error
			want func(error) bool
		}{
			{"read to the end", func(server, _ *end, p []byte) (err error) {
				for err == nil && server.Buffered() {
					_, err = server.Read(p, nil, false)
				}
				return err
			}, func(err error) bool { return err == nil }},
			{"closed", func(server, _ *end, _ []byte) error { server.Close(nil); return nil }, func(err error) bool { return err == nil }},
			{"a bad record behind", func(server, client *end, p []byte) (err error) {
				bad, _ := client.Append(nil, p)
				bad[len(bad)-1] ^= 1
				for err == nil && server.Buffered() {
					_, err = server.Read(p, nil, false)
				}
				if err == nil {
					_, err = server.Read(p, bad, false)
				}
				return err
			}, failed},
			{"close_notify behind", func(server, client *end, p []byte) (err error) {
				for err == nil && server.Buffered() {
					_, err = server.Read(p, nil, false)
				}
				if err == nil {
					_, err = server.Read(p, client.AppendClose(nil), false)
				}
				return err
			}, func(err error) bool { return err == io.EOF }},
		} {
			t.Run(fmt.Sprint(v.name, " ", test.name), func(t *testing.T) {
				server, client := pair(t, NewHandshakes(Limits{}), serverConfig(v.id), clientConfig(), 0)
				raw := append(client.seal(t, make([]byte, 5000)), client.seal(t, make([]byte, 300))...)
				p := make([]byte, 1000)
				if n, err := server.Read(p, raw, false); n != len(p) || err != nil {
					t.Fatal(n, err)
				}
				if server.heap.out == 0 || server.Held() < InputSize {
					t.Fatalf("%d buffers are lent, and %d bytes held, with plaintext in them", server.heap.out, server.Held())
				}
				if err := test.end(server, client, p); !test.want(err) {
					t.Fatal(err)
				}
				if server.heap.out > 0 || server.Held() > 0 {
					t.Errorf("%d buffers are still lent, %d bytes held", server.heap.out, server.Held())
				}
			})
		}
	}
}

// TestLentMemoryIsShared: connections that take turns with one buffer do not see each other's bytes, also where
// plaintext of one is left in it.
func TestLentMemoryIsShared(t *testing.T) {
	hs := NewHandshakes(Limits{})
	config := serverConfig(tls.VersionTLS13)
	var shared heap
	const conns = 5
	var servers, clients [conns]*end
	for i := range servers {
		servers[i], clients[i] = pair(t, hs, config, clientConfig(), 0)
		servers[i].buffers = &shared
	}
	want, got := [conns][]byte{}, [conns][]byte{}
	for round := range 40 {
		i := round % conns
		data := bytes.Repeat([]byte{byte('a' + i)}, 100+round*200)
		want[i] = append(want[i], data...)
		p := make([]byte, 700) // most rounds leave some for the next of this connection
		raw := clients[i].seal(t, data)
		for servers[i].Buffered() {
			n, err := servers[i].Read(p, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			got[i] = append(got[i], p[:n]...)
		}
		n, err := servers[i].Read(p, raw, false)
		if err != nil {
			t.Fatal(err)
		}
		got[i] = append(got[i], p[:n]...)
	}
	for i := range servers {
		for p := make([]byte, 700); servers[i].Buffered(); {
			n, err := servers[i].Read(p, nil, false)
			if err != nil {
				t.Fatal(err)
			}
			got[i] = append(got[i], p[:n]...)
		}
		if !bytes.Equal(got[i], want[i]) {
			t.Errorf("connection %d: %d bytes of %d", i, len(got[i]), len(want[i]))
		}
	}
	if shared.out != 0 {
		t.Errorf("%d buffers are still lent", shared.out)
	}
}

// TestHelloInRecords: the handshake succeeds, and counts the client's bytes, however its ClientHello is cut into records
// and whatever has come behind it.
func TestHelloInRecords(t *testing.T) {
	for _, known := range []bool{true, false} {
		for _, size := range []int{1 << 14, 700, 100} {
			for _, rest := range []string{"", "\x14\x03\x03\x00\x01\x01", "\x14\x03\x03"} {
				t.Run(fmt.Sprintf("known=%v in pieces of %d then %x", known, size, rest), func(t *testing.T) {
					if !known {
						was := fieldsOf
						fieldsOf = inner{}
						defer func() { fieldsOf = was }()
					}
					hs, q := NewHandshakes(Limits{}), newQueue()
					server, client := &end{}, &end{}
					var err error
					client.Conn, err = hs.Client(Params{Config: clientConfig(), Loop: q, Owner: client, Buffers: &client.heap})
					if err != nil {
						t.Fatal(err)
					}
					q.run()
					client.progress = 0
					whole := client.advance()
					var early []byte
					for message := whole[recordHeader:]; len(message) > 0; {
						n := min(size, len(message))
						early = append(append(early, 22, 3, 1, byte(n>>8), byte(n)), message[:n]...)
						message = message[n:]
					}
					early = append(early, rest...)
					server.Conn, err = hs.Server(Params{Config: serverConfig(tls.VersionTLS13), Loop: q, Owner: server, Buffers: &server.heap, Early: early})
					if err != nil {
						t.Fatal(err)
					}
					h := server.wire.hs
					given := len(early) - len(rest)
					clear(early) // Server must have taken it over
					if rest == "\x14\x03\x03" {
						server.Feed([]byte("\x00\x01\x01"), false)
					}
					for !server.done || !client.done {
						q.run()
						moveHandshake(server, client, 0)
						moveHandshake(client, server, 0)
					}
					if server.err != nil || client.err != nil {
						t.Fatal(server.err, client.err)
					}
					// Behind the ClientHello came one change_cipher_spec or two, and Finished.
					if h.given < given+6+recordHeader+32 || h.given > given+200 {
						t.Errorf("%d bytes were counted, of which the ClientHello has %d", h.given, given)
					}
					echo(t, server, client, 1<<16)
				})
			}
		}
	}
}

// TestNoExport: what was freed is not called by accident.
func TestNoExport(t *testing.T) {
	for _, v := range versions {
		server, client := pair(t, NewHandshakes(Limits{}), serverConfig(v.id), clientConfig(), 0)
		for _, e := range []*end{server, client} {
			s := e.State()
			if _, err := s.ExportKeyingMaterial("label", nil, 32); err == nil {
				t.Error("keys were exported")
			}
		}
		if len(client.State().PeerCertificates) == 0 {
			t.Error("the client has lost the server's certificates, which its sessions need")
		}
	}
}
