package exchange

import (
	"bytes"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// A Service of type ExternalName can lead back to the gateway, through its load balancer or through another gateway. A
// request then comes back as a new one, until limits.requests_per_source or the size of a head is used up: some thousands of
// connections for one request. So a request to an ExternalName is marked with CDN-Loop (RFC 8586), as other proxies mark
// theirs, and one that carries LoopLimit marks is answered 508. Other Endpoints are Pods, which do not lead back: requests
// to them are not marked.

// LoopLimit is how often a request may go to ExternalNames of this gateway and others of its kind. A gateway in front of
// another makes one mark; a chain of eight is a loop. Exported for tests alone.
const LoopLimit = 8

const (
	loopField = "CDN-Loop"
	loopID    = "sluice"
)

// loopMark is the line that is added to a request; several lines are one list.
const loopMark = loopField + ": " + loopID + "\r\n"

// isLoopField reports whether name, which the parser does not know, is CDN-Loop.
//
// hot: runs per field with an unknown name; no alloc, no lock.
func isLoopField(name []byte) bool {
	return len(name) == len("cdn-loop") && name[3] == '-' && message.EqualFold(name, "cdn-loop")
}

// loops counts the members "sluice" in the value of a CDN-Loop field, whatever their parameters. Members of other proxies
// are not counted, so quoted commas, which loopMark has none of, need no care.
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
