package exchange

import (
	"crypto/sha1"
	"encoding/base64"

	"github.com/sluice-gateway/sluice/server/internal/h1"
)

// HTTP/1.1 opens a WebSocket with a challenge (RFC 6455 section 4), which HTTP/2 leaves out (RFC 8441 section 5). Between
// sides of the two, the gateway sends the Endpoint a challenge, or answers the client's.

const (
	webSocketKey    = "Sec-WebSocket-Key"
	webSocketAccept = "Sec-WebSocket-Accept"
	webSocketGUID   = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
)

// appendWebSocketKey appends the field of a challenge, for a client of HTTP/2.
func (w *Loop) appendWebSocketKey(dst []byte) []byte {
	raw := w.draw()
	dst = append(dst, webSocketKey+": "...)
	dst = base64.StdEncoding.AppendEncode(dst, raw[:])
	return append(dst, '\r', '\n')
}

// acceptWebSocket adds the answer to the challenge of a client of HTTP/1.1, where the Endpoint speaks HTTP/2.
func (x *Core) acceptWebSocket() {
	k := x.kept
	if k == nil || k.Request.Extended || !SpeaksHTTP2(x.protocol) {
		return
	}
	i := k.Request.FindName(k.Head, webSocketKey, 0)
	if i < 0 {
		return
	}
	sum := sha1.Sum(append(append([]byte(nil), k.Request.Fields[i].Value.Of(k.Head)...), webSocketGUID...))
	x.edits.respAdd = h1.AppendField(x.edits.respAdd, webSocketAccept, base64.StdEncoding.EncodeToString(sum[:]))
}
