package h2

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/h1/h1test"
	"github.com/sluice-gateway/sluice/server/internal/message"
)

// fieldsOf lists the fields that are forwarded, in lower case, cookies joined at the end as in HTTP/2. Content-Length
// is left out: the sender of the body adds its own.
func fieldsOf(h *message.Head, b []byte) (list []string) {
	var cookies []string
	for _, f := range h.Fields {
		switch {
		case f.Hop, message.HopFields.Has(f.ID), f.ID == message.FieldHost, f.ID == message.FieldContentLength:
		case f.ID == message.FieldCookie:
			if cookies == nil {
				cookies = []string{}
			}
			if v := string(f.Value.Of(b)); v != "" { // an empty crumb holds nothing
				cookies = append(cookies, v)
			}
		default:
			list = append(list, strings.ToLower(string(f.Name.Of(b)))+": "+string(f.Value.Of(b)))
		}
	}
	if cookies != nil {
		list = append(list, "cookie: "+strings.Join(cookies, "; "))
	}
	return list
}

// FuzzTranslate sends what HTTP/1 accepts by HTTP/2: x/net's Framer must find it well-formed, and the
// server's role must read the same request out of it, in a head that h1 and net/http read as that request too.
func FuzzTranslate(f *testing.F) {
	for _, c := range append(append([]h1test.Request{}, h1test.Requests...), h1test.Accepted...) {
		if len(c.Raw) < 4<<10 {
			f.Add([]byte(c.Raw))
		}
	}
	f.Add([]byte("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: a\r\nX: 1\r\nCookie: b\r\nAuthorization: x\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nCookie:\r\nCookie:\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: a\r\nCookie:\r\nCookie: a\r\nCookie:\r\nCookie: b\r\nCookie:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var q h1.Request
		if h1.ParseRequest(&q, raw, h1.Limits{}) != h1.Done || q.Authority.Empty() {
			return
		}
		shared := NewShared(Config{ExtendedConnect: true})
		client := shared.NewClient(1e9, &recorder{}, q.TLSScheme)
		client.peerExtended = true
		upgrade := upgradeTo(&q.Request, raw) != nil
		end := !q.HasBody && !upgrade && q.Method != message.MethodConnect
		if _, ok := client.OpenRequest(&q.Request, Outgoing{Head: &q.Head, Bytes: raw}, end); !ok {
			t.Fatalf("%q: not opened", raw)
		}
		wire := bytes.Clone(client.Output())

		fr := http2.NewFramer(nil, bytes.NewReader(wire[len(Preface):]))
		fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
		for range 3 { // SETTINGS, WINDOW_UPDATE, HEADERS
			if _, err := fr.ReadFrame(); err != nil {
				t.Fatalf("%q: x/net: %v", raw, err)
			}
		}

		k := &keeper{}
		server := shared.NewServer(1e9, k)
		k.c = server
		if err := server.Feed(1e9, wire); err != nil || k.count != 1 {
			t.Fatalf("%q: %v, %v", raw, err, k.log)
		}
		got := &k.req
		path := func(r *message.Request, b []byte) string { return string(client.path(r, b)) }
		if r := &q.Request; got.Form != message.AuthorityForm && path(got, k.head) != path(r, raw) ||
			string(got.Authority.Of(k.head)) != string(r.Authority.Of(raw)) || got.TLSScheme != r.TLSScheme && r.Form != message.AuthorityForm ||
			got.Upgrade != upgrade || got.TETrailers != r.TETrailers || got.ExpectContinue != r.ExpectContinue || got.ExpectOther != r.ExpectOther ||
			!upgrade && string(got.MethodSpan.Of(k.head)) != string(r.MethodSpan.Of(raw)) {
			t.Fatalf("%q became %q", raw, k.head)
		}
		have, want := fieldsOf(&got.Head, k.head), fieldsOf(&q.Head, raw)
		if upgrade {
			want = without(want)
		}
		if strings.Join(have, "\n") != strings.Join(want, "\n") {
			t.Fatalf("%q: fields %q, want %q", raw, have, want)
		}
		sameAsH1(t, got, k.head)
		if got.Form != message.AuthorityForm && !strings.Contains(string(got.Target.Of(k.head)), "%") {
			if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(k.head))); err == nil && r.Method != string(got.MethodSpan.Of(k.head)) {
				t.Fatalf("net/http reads %q as %v", k.head, r)
			}
		}
	})
}

// without leaves out what belongs to HTTP/1's WebSocket handshake.
func without(list []string) (kept []string) {
	for _, l := range list {
		if !strings.HasPrefix(l, "sec-websocket-key:") && !strings.HasPrefix(l, "sec-websocket-accept:") {
			kept = append(kept, l)
		}
	}
	return kept
}
