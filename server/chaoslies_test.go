package server

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"

	"golang.org/x/net/http2"

	"github.com/sluice-gateway/sluice/routing"
)

// lie is a claim of a request that is false, or that the gateway does not act on.
type lie struct {
	media   string // Content-Type
	upgrade string // the protocol that it asks for over HTTP/1, which the Endpoint does not speak
	// asks makes it a WebSocket, by Upgrade or extended CONNECT, that the Backend declines; length has the latter say that
	// it has no body.
	asks, length bool
}

// tellLies chooses the claims of p.
func (p *plan) tellLies(r *rand.Rand) {
	if r.IntN(4) == 0 {
		p.lie.media = []string{"application/grpc", "application/grpc+proto", "application/grpc;x", "application/grpc-web-text", "text/plain"}[r.IntN(5)]
		if p.protocol == routing.GRPCS && p.lie.media == "application/grpc-web-text" {
			p.lie.media = "" // there the claim would hold
		}
	}
	switch r.IntN(10) {
	case 0:
		if p.reqLen == 0 && !p.tunnel && p.status >= 300 {
			p.method, p.lie.asks, p.lie.length = "GET", true, r.IntN(2) == 0
		}
	case 1:
		if !p.tunnel {
			p.lie.upgrade = []string{"a b", "h2c", "/13", "websocket/13, x"}[r.IntN(4)]
			if p.method == "GET" || p.method == "BREW" {
				p.lie.upgrade = "a b"
			}
		}
	}
}

// appendFields appends them to a head of HTTP/1.
func (l *lie) appendFields(head []byte, old bool) []byte {
	if l.media != "" {
		head = fmt.Appendf(head, "Content-Type: %s\r\n", l.media)
	}
	switch {
	case old:
	case l.asks:
		head = append(head, "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"...)
	case l.upgrade != "":
		head = fmt.Appendf(head, "Connection: upgrade\r\nUpgrade: %s\r\n", l.upgrade)
	}
	return head
}

// fields adds them to a head of HTTP/2.
func (l *lie) fields(fields []string) []string {
	if l.media != "" {
		fields = append(fields, "content-type", l.media)
	}
	if l.asks && l.length {
		fields = append(fields, "content-length", "0")
	}
	return fields
}

// overstate plays an extended CONNECT that announces n bytes of a body, which is refused. It names no plan, so that a
// Backend that gets to see any of it complains.
func (r *round) overstate(who string, peer *h2peer, fickle *fickleConn, p *plan, n int) {
	st := peer.request(p, false, ":protocol", "websocket", ":method", "CONNECT", ":scheme", "http", ":authority", "a.test",
		":path", fmt.Sprintf("/%d?seed=none", p.protocol), "sec-websocket-version", "13", "content-length", strconv.Itoa(n))
	if st == nil {
		return
	}
	<-st.done
	peer.mu.Lock()
	defer peer.mu.Unlock()
	var code http2.StreamError
	if errors.As(st.reset, &code) && code.Code == http2.ErrCodeProtocol || peer.err != nil || fickle.aborted.Load() {
		return
	}
	r.errorf("%s: an extended CONNECT with a length of %d: reset %v, head %v", who, n, st.reset, st.head)
}
