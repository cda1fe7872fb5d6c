package exchange

import (
	"math"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// Max-Forwards bounds how far TRACE and OPTIONS go (RFC 9110 section 7.6.2); with other methods it means
// nothing.

// noForwards is what is left where nobody said.
const noForwards = math.MaxInt64

// forwardsLeft returns the value of a Max-Forwards field, and whether it is to be heeded. One that is no
// number says nothing.
func forwardsLeft(req *message.Request, f *message.Field, head []byte) (n int64, ok bool) {
	if req.Method != message.MethodTrace && req.Method != message.MethodOptions {
		return 0, false
	}
	return message.ParseLength(f.Value.Of(head))
}

// goesNoFurther answers a request that may not be forwarded once more, and reports whether it has. What the
// gateway has to say of itself is which methods it passes on. TRACE it refuses, as nginx does: a recipient
// would return the head, with whatever proxies put there, to a script that may not see it.
func (x *Core) goesNoFurther(req *message.Request, head []byte) bool {
	left := int64(noForwards)
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
		x.respond(200, passedOn, nil)
	default:
		x.respond(405, append(append([]byte(nil), passedOn...), RefusalFields...),
			message.AppendRefusal(nil, 405, "the gateway traces nothing"))
	}
	return true
}

var passedOn = []byte("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n")
