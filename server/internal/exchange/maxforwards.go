package exchange

import (
	"math"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Max-Forwards bounds how often TRACE and OPTIONS are forwarded (RFC 9110 section 7.6.2). With other methods it has no
// meaning.

// unlimitedForwards stands for the absence of a valid Max-Forwards.
const unlimitedForwards = math.MaxInt64

// forwardsLeft returns the value of a Max-Forwards field. ok is false where the method gives it no meaning, or where it is
// no number.
func forwardsLeft(req *message.Request, f *message.Field, head []byte) (n int64, ok bool) {
	if req.Method != message.MethodTrace && req.Method != message.MethodOptions {
		return 0, false
	}
	return message.ParseLength(f.Value.Of(head))
}

// answerLastHop answers a request that may not be forwarded once more, and reports whether it did: OPTIONS with the methods
// that the gateway forwards. TRACE is refused, as by nginx: the answer would hand a script the head with the fields that
// proxies have added, which it may not see.
func (x *Core) answerLastHop(req *message.Request, head []byte) bool {
	left := int64(unlimitedForwards)
	for i := range req.Fields {
		if f := &req.Fields[i]; f.ID == message.FieldMaxForwards {
			if n, ok := forwardsLeft(req, f, head); ok {
				left = min(left, n)
			}
		}
	}
	switch {
	case left > 0:
		return false
	case req.Method == message.MethodOptions:
		x.respond(200, allowFields, nil)
	default:
		x.respond(405, append(append([]byte(nil), allowFields...), RefusalFields...),
			message.AppendRefusal(nil, 405, "the gateway traces nothing"))
	}
	return true
}

var allowFields = []byte("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
