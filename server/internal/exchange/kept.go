package exchange

import (
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/wire"
)

// Kept is a request's head and the body bytes that came with it, for as long as it may have to be
// sent, again. Pooled by its worker.
type Kept struct {
	Request message.Request
	Head    []byte
	early   []byte
	Whole   bool // the request ends with its head; for a Stream that begins late
	Held    int64
}

// Keep copies a request.
//
// hot: runs per request; no alloc, no lock.
func (w *Loop) Keep(req *message.Request, head, early []byte) *Kept {
	k := w.freeH.Take()
	if k == nil {
		k = &Kept{}
	}
	fields := append(k.Request.Fields[:0], req.Fields...)
	k.Request = *req
	k.Request.Fields = fields
	k.Head = append(k.Head[:0], head...)
	k.early = append(k.early[:0], early...)
	w.Buffers.Recount(&k.Held, int64(cap(k.Head)+cap(k.early)))
	return k
}

// smallFields is how many fields a pooled head keeps room for.
const smallFields = 256

func (w *Loop) FreeKept(k *Kept) {
	w.Buffers.Recount(&k.Held, 0)
	if cap(k.Head) <= wire.SmallBuffer && cap(k.early) <= wire.SmallBuffer && cap(k.Request.Fields) <= smallFields {
		w.freeH.Put(k)
	}
}
