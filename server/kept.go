package server

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// keptHead is a request's head and the body bytes that came with it, for as long as it may have to be
// sent, again. Pooled by its worker.
type keptHead struct {
	req   message.Request
	head  []byte
	early []byte
	whole bool // the request ends with its head; for a downStream that begins late
	held  int64
}

// keepRequest copies a request.
//
// hot: runs per request; no alloc, no lock.
func (w *coreLoop) keepRequest(req *message.Request, head, early []byte) *keptHead {
	k := w.freeH.Take()
	if k == nil {
		k = &keptHead{}
	}
	fields := append(k.req.Fields[:0], req.Fields...)
	k.req = *req
	k.req.Fields = fields
	k.head = append(k.head[:0], head...)
	k.early = append(k.early[:0], early...)
	w.Buffers.Recount(&k.held, int64(cap(k.head)+cap(k.early)))
	return k
}

// smallFields is how many fields a pooled head keeps room for.
const smallFields = 256

func (w *coreLoop) freeKept(k *keptHead) {
	w.Buffers.Recount(&k.held, 0)
	if cap(k.head) <= wire.SmallBuffer && cap(k.early) <= wire.SmallBuffer && cap(k.req.Fields) <= smallFields {
		w.freeH.Put(k)
	}
}
