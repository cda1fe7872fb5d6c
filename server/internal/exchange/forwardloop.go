package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// A Service of type ExternalName can lead back to the gateway, through its load balancer or through another
// gateway. A request then comes back as a new one, until the requests that one source may have, or the size of a
// head, are used up: some thousands of connections for one request. So what goes to an ExternalName is marked
// with CDN-Loop (RFC 8586), as all proxies of that kind do, and what carries the mark too often goes no
// further. Other Endpoints are Pods, which are no way back, so that requests to them are not marked.

// LoopLimit is how often a request may have been to an ExternalName of this gateway or another of its kind. A
// gateway in front of another makes one, and nobody builds towers of eight.
const LoopLimit = 8

const loopID = "sluice"

// loopMark is what is added to a request; more than one of these lines are one list.
const loopMark = "CDN-Loop: " + loopID + "\r\n"

// isLoopField reports whether name, which the parser does not know, is that of the mark.
//
// hot: runs per field with an unknown name; no alloc, no lock.
func isLoopField(name []byte) bool {
	return len(name) == len("cdn-loop") && name[3] == '-' && message.EqualFold(name, "cdn-loop")
}

// loops counts the marks of this kind of gateway in the value of a CDN-Loop field; other members are not ours,
// and parameters do not matter. There is no quoted comma in what we write.
func loops(f *message.Field, head []byte) (n int) {
	for rest := f.Value.Of(head); len(rest) > 0; {
		var member []byte
		member, rest, _ = bytes.Cut(rest, []byte{','})
		id, _, _ := bytes.Cut(member, []byte{';'})
		if bytes.EqualFold(bytes.Trim(id, " \t"), []byte(loopID)) {
			n++
		}
	}
	return n
}
