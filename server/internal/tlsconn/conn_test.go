package tlsconn

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

var versions = []struct {
	name string
	id   uint16
}{{"TLS 1.2", tls.VersionTLS12}, {"TLS 1.3", tls.VersionTLS13}}

// TestSplits: how the network cuts the bytes makes no difference, neither in the handshake nor after,
// and whatever the size of the reader's buffer.
func TestSplits(t *testing.T) {
	for _, v := range versions {
		for _, piece := range []int{0, 1, 4, 5, 6, 100, 1448} {
			t.Run(fmt.Sprintf("%s in pieces of %d", v.name, piece), func(t *testing.T) {
				hs := NewHandshakes(Limits{})
				server, client := pair(t, hs, serverConfig(v.id), clientConfig(), piece)
				want := bytes.Repeat([]byte("0123456789abcdef"), 5000) // 80,000 bytes
				want = want[:70_001]
				var cipher []byte
				for rest := want; len(rest) > 0; {
					n := min(len(rest), 1+rand.IntN(30_000))
					cipher = append(cipher, client.seal(t, rest[:n])...)
					rest = rest[n:]
				}
				cipher = client.AppendClose(cipher)
				var got []byte
				room := []int{1 << 16, 1, 100, 16 << 10}[rand.IntN(4)]
				p := make([]byte, room)
				var err error
				for len(cipher) > 0 && err == nil {
					n := len(cipher)
					if piece > 0 {
						n = min(n, piece)
					}
					raw := bytes.Clone(cipher[:n])
					cipher = cipher[n:]
					var m int
					m, err = server.Read(p, raw, len(cipher) == 0)
					got = append(got, p[:m]...)
					clear(raw) // Read must have taken it over
					for err == nil && server.Buffered() {
						m, err = server.Read(p, nil, false)
						got = append(got, p[:m]...)
					}
				}
				if err != io.EOF || !bytes.Equal(got, want) {
					t.Errorf("got %d bytes of %d, same=%v, %v (room %d)", len(got), len(want), bytes.Equal(got, want), err, room)
				}
				if server.Buffered() || server.heap.out > 0 {
					t.Errorf("buffered=%v, %d buffers still lent", server.Buffered(), server.heap.out)
				}
			})
		}
	}
}

func TestEnds(t *testing.T) {
	tests := []struct {
		name string
		f    func(from *end, whole []byte) (raw []byte, fin bool)
		want func(error) bool
		data bool
	}{
		{"dry", func(_ *end, w []byte) ([]byte, bool) { return w, false }, func(err error) bool { return err == nil }, true},
		{"close_notify", func(e *end, w []byte) ([]byte, bool) { return e.AppendClose(w), false }, func(err error) bool { return err == io.EOF }, true},
		{"close_notify and FIN", func(e *end, w []byte) ([]byte, bool) { return e.AppendClose(w), true }, func(err error) bool { return err == io.EOF }, true},
		{"FIN alone", func(_ *end, w []byte) ([]byte, bool) { return w, true }, func(err error) bool { return err == io.ErrUnexpectedEOF }, true},
		{"FIN in a record", func(_ *end, w []byte) ([]byte, bool) { return w[:len(w)-1], true }, func(err error) bool { return err == io.ErrUnexpectedEOF }, false},
		{"FIN in a header", func(_ *end, w []byte) ([]byte, bool) { return w[:3], true }, func(err error) bool { return err == io.ErrUnexpectedEOF }, false},
		{"nothing but FIN", func(*end, []byte) ([]byte, bool) { return nil, true }, func(err error) bool { return err == io.ErrUnexpectedEOF }, false},
		{"bad record", func(_ *end, w []byte) ([]byte, bool) { w[len(w)-1] ^= 1; return w, false }, failed, false},
		{"bad record behind a good one", func(e *end, w []byte) ([]byte, bool) {
			w, _ = e.Append(w, []byte("more"))
			w[len(w)-1] ^= 1
			return w, false
		}, failed, true},
		{"too large a record", func(_ *end, w []byte) ([]byte, bool) { return []byte{23, 3, 3, 0xff, 0xff}, false }, failed, false},
		{"plain HTTP", func(_ *end, w []byte) ([]byte, bool) { return []byte("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), false }, failed, false},
	}
	for _, v := range versions {
		for _, test := range tests {
			t.Run(v.name+" "+test.name, func(t *testing.T) {
				server, client := pair(t, NewHandshakes(Limits{}), serverConfig(v.id), clientConfig(), 0)
				raw, fin := test.f(client, client.seal(t, []byte("hello")))
				p := make([]byte, 1<<16)
				n, err := server.Read(p, raw, fin)
				if !test.want(err) || test.data != (string(p[:n]) == "hello") {
					t.Fatalf("got %q, %v", p[:n], err)
				}
				if _, again := server.Read(p, nil, fin); again != err {
					t.Errorf("then %v, before %v", again, err)
				}
				if failed(err) && err != io.ErrUnexpectedEOF && !server.HasReply() {
					t.Error("no alert to send")
				}
				if server.HasReply() {
					if _, err := client.Read(p, server.AppendReply(nil), false); !failed(err) {
						t.Errorf("the peer reads the alert as %v", err)
					}
				}
				if server.heap.out > 0 {
					t.Error("a buffer is still lent")
				}
			})
		}
	}
}

func failed(err error) bool { return err != nil && err != io.EOF && err != io.ErrUnexpectedEOF }

// TestHalfClose: after a close_notify of ours reading goes on, and the other way round.
func TestHalfClose(t *testing.T) {
	server, client := pair(t, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), clientConfig(), 0)
	p := make([]byte, 1<<16)
	if _, err := server.Read(p, client.AppendClose(nil), false); err != io.EOF {
		t.Fatal(err)
	}
	answer := server.seal(t, []byte("still here"))
	if n, err := client.Read(p, answer, false); err != nil || string(p[:n]) != "still here" {
		t.Errorf("%q, %v", p[:n], err)
	}
	if _, err := client.Append(nil, []byte("x")); err == nil {
		t.Error("writing after close_notify succeeded")
	}
	if again := client.AppendClose(nil); len(again) > 0 {
		t.Error("a second close_notify")
	}
}

// TestTemporaryErrorIsNotRemembered pins what this package builds on to the Go version: once the
// handshake is complete, an error with Temporary() true ends crypto/tls's Read and nothing else, at
// every byte of a record; and a fatal one is remembered.
func TestTemporaryErrorIsNotRemembered(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			server, client := pair(t, NewHandshakes(Limits{}), serverConfig(v.id), clientConfig(), 0)
			p := make([]byte, 64)
			// Behind the back of framer, which never cuts a record for crypto/tls.
			raw := client.seal(t, []byte("hello"))
			for i := range raw {
				drip := &dripping{raw[i : i+1]}
				n, err := readThrough(server.Conn, drip, p)
				if last := i == len(raw)-1; last != (n == 5) || !last && err != error(errDry) || last && err != nil {
					t.Fatalf("byte %d of %d: %d, %v", i, len(raw), n, err)
				}
			}
			if _, err := readThrough(server.Conn, &dripping{}, p); err != error(errDry) {
				t.Fatal(err)
			}
			if n, err := server.Read(p, client.seal(t, []byte("again")), false); n != 5 || err != nil {
				t.Fatalf("after many temporary errors: %d, %v", n, err)
			}
			var temporary net.Error
			if !errors.As(error(errDry), &temporary) || !temporary.Timeout() {
				t.Error("errDry is no timeout")
			}
		})
	}
}

// dripping gives its bytes once, and is dry then.
type dripping struct{ b []byte }

// readThrough has crypto/tls read b as it is.
func readThrough(c *Conn, d *dripping, p []byte) (int, error) {
	c.wire.frames.rest = int32(len(d.b)) // whatever comes is passed on
	c.wire.in = d.b
	n, err := c.tls.Read(p)
	c.wire.in, c.wire.frames.rest, c.wire.inside = nil, 0, 0
	return n, err
}

// TestKeyUpdate: crypto/tls answers key updates inside Read, and its output is kept in order and
// bounded. crypto/tls cannot be made to send one, so the records are made by hand.
func TestKeyUpdate(t *testing.T) {
	server, client := pair(t, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), clientConfig(), 0)
	peer := newKeyUpdater(t, server, client)
	p := make([]byte, 1<<16)
	for i := range 3 {
		raw := peer.keyUpdate(true)
		raw = append(raw, peer.seal(23, []byte("data"))...)
		n, err := server.Read(p, raw, false)
		if err != nil || string(p[:n]) != "data" || !server.HasReply() {
			t.Fatalf("update %d: %q, %v, reply=%v", i, p[:n], err, server.HasReply())
		}
		// The reply goes first, and what follows it is under the new key.
		out := server.seal(t, []byte("answer"))
		if server.HasReply() {
			t.Fatal("Append left the reply behind")
		}
		if typ, _ := peer.open(&out); typ != 22 {
			t.Fatalf("first record has type %d, want a handshake message", typ)
		}
		peer.updateReceive()
		if typ, data := peer.open(&out); typ != 23 || string(data) != "answer" {
			t.Fatalf("second record has type %d, %q", typ, data)
		}
	}
	// A peer that asks and asks, and does not read.
	for range 1000 {
		raw := append(peer.keyUpdate(true), peer.seal(23, []byte("data"))...)
		_, err := server.Read(p, raw, false)
		if len(server.wire.out) > maxReply {
			t.Fatalf("%d bytes wait", len(server.wire.out))
		}
		if err != nil {
			if err != errReply {
				t.Errorf("failed with %v", err)
			}
			return
		}
	}
	t.Error("replies without bound")
}

// TestBarrenRecords: a peer that sends records without data ends, in crypto/tls or here.
func TestBarrenRecords(t *testing.T) {
	for _, kind := range []struct {
		name string
		make func(*keyUpdater) []byte
	}{
		{"key updates", func(k *keyUpdater) []byte { return k.keyUpdate(false) }},
		{"empty records", func(k *keyUpdater) []byte { return k.seal(23, nil) }},
		{"a large handshake message", func(k *keyUpdater) []byte {
			return k.seal(22, append([]byte{4, 0, 0xff, 0xff}, make([]byte, 10_000)...))
		}},
		{"a certificate message", func(k *keyUpdater) []byte {
			return k.seal(22, append([]byte{11, 3, 0xff, 0xff}, make([]byte, 10_000)...))
		}},
	} {
		t.Run(kind.name, func(t *testing.T) {
			server, client := pair(t, NewHandshakes(Limits{}), serverConfig(tls.VersionTLS13), clientConfig(), 0)
			peer := newKeyUpdater(t, server, client)
			p := make([]byte, 1<<16)
			total := 0
			for range 100 {
				raw := kind.make(peer)
				total += len(raw)
				if _, err := server.Read(p, raw, false); err != nil {
					if total > maxBarren+20_000 {
						t.Errorf("ended after %d bytes", total)
					}
					return
				}
			}
			t.Error("goes on for ever")
		})
	}
}

// TestEarlyBytes: what the client sends right behind its Finished is kept for Read, whole records and
// a part of one.
func TestEarlyBytes(t *testing.T) {
	for _, cutOff := range []int{0, 3, 20} {
		hs := NewHandshakes(Limits{})
		q := newQueue()
		server, client := &end{}, &end{}
		var err error
		remote := netip.MustParseAddrPort("192.0.2.1:443")
		client.Conn, err = hs.Client(Params{Config: clientConfig(), Remote: remote, Loop: q, Owner: client, Buffers: &client.heap})
		if err != nil {
			t.Fatal(err)
		}
		q.run()
		server.Conn, err = hs.Server(Params{Config: serverConfig(tls.VersionTLS13), Remote: remote, Loop: q, Owner: server, Buffers: &server.heap, Early: client.advance()})
		if err != nil {
			t.Fatal(err)
		}
		for server.progress == 0 {
			q.run()
		}
		client.Feed(server.advance(), false)
		for !client.done {
			q.run()
			if flight := client.advance(); client.done {
				flight = append(flight, client.seal(t, []byte("one "))...)
				flight = append(flight, client.seal(t, []byte("two"))...)
				held := flight[len(flight)-cutOff:]
				server.Feed(flight[:len(flight)-cutOff], false)
				for !server.done {
					q.run()
					server.advance()
				}
				if err := errors.Join(server.err, client.err); err != nil {
					t.Fatal(err)
				}
				if !server.Buffered() {
					t.Fatal("nothing buffered")
				}
				p := make([]byte, 100)
				n, err := server.Read(p, nil, false)
				if err != nil {
					t.Fatal(err)
				}
				m, err := server.Read(p[n:], held, false)
				if got := string(p[:n+m]); got != "one two" || err != nil {
					t.Errorf("cut off %d: %q, %v", cutOff, got, err)
				}
			}
		}
	}
}

// TestClientResumes: the tickets that come after the handshake reach the session cache.
func TestClientResumes(t *testing.T) {
	for _, v := range versions {
		hs := NewHandshakes(Limits{})
		server, client := serverConfig(v.id), clientConfig()
		for i := range 3 {
			s, c := pair(t, hs, server, client, 0)
			if got := c.State().DidResume; got != (i > 0) || got != s.State().DidResume || c.Protocol() != "http/1.1" {
				t.Errorf("%s, connection %d: resumed=%v, %q", v.name, i, got, c.Protocol())
			}
		}
		if c, d := hs.Counts(), hs.UpstreamCounts(); c.Resumed != 2 || c.Completed != 3 || d.Resumed != 2 || d.Completed != 3 {
			t.Errorf("%+v %+v", c, d)
		}
	}
}
