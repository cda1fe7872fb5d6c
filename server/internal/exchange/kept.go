package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// KeptRequest is a copy of a request's head and of the body bytes that came with it, kept while the request may have to be
// sent again, or is still to begin. Made by Loop.KeepRequest and owned by its loop, until FreeRequest takes it back.
type KeptRequest struct {
	Request message.Request // indexes Head
	Head    []byte
	early   []byte
	Whole   bool  // nothing follows the head. Set by the client's side where the request's Exchange is deferred
	Lent    int64 // bytes of memory, as counted by the loop's pool
}

// KeepRequest copies a request.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) KeepRequest(req *message.Request, head, early []byte) *KeptRequest {
	k := w.freeRequests.Take()
	if k == nil {
		k = &KeptRequest{}
	}
	fields := append(k.Request.Fields[:0], req.Fields...)
	k.Request = *req
	k.Request.Fields = fields
	k.Head = append(k.Head[:0], head...)
	k.early = append(k.early[:0], early...)
	w.Buffers.Recount(&k.Lent, int64(cap(k.Head)+cap(k.early)))
	return k
}

// smallFields is how many fields a pooled KeptRequest keeps room for.
const smallFields = 256

// FreeRequest returns k to its pool. Its bytes are not valid any more.
func (w *Loop) FreeRequest(k *KeptRequest) {
	w.Buffers.Recount(&k.Lent, 0)
	if cap(k.Head) <= wire.SmallBuffer && cap(k.early) <= wire.SmallBuffer && cap(k.Request.Fields) <= smallFields {
		w.freeRequests.Put(k)
	}
}
