package server

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"golang.org/x/net/http2"
)

// mostBulk bounds what a plan adds to a head, KiB: beyond a frame, below what the gateway takes.
const mostBulk = 40

// bulky adds the plan's further fields to those of a head.
func (p *plan) bulky(fields ...string) []string {
	for i := range p.bulk {
		fields = append(fields, fmt.Sprint("x-bulk-", i), p.name()+strings.Repeat("b", 1000))
	}
	return fields
}

// late plays the frames that are on their way when the gateway resets the stream: as many small ones as there is room for in
// the windows, and those of an end. p.mu is held.
func (st *h2stream) late() {
	p := st.p
	rng := rand.New(rand.NewPCG(p.r.seed, uint64(st.id)))
	if st.sentEnd || st.weReset || p.err != nil || rng.IntN(2) == 0 {
		return
	}
	if p.server {
		st.fields(false, ":status", "200", "x-late", p.who)
	}
	for range rng.IntN(3000) {
		n := int64(1 + rng.IntN(20))
		if n > min(p.sendWin, st.sendWin) {
			break
		}
		_ = p.fr.WriteData(st.id, false, make([]byte, n))
		p.sendWin -= n
		st.sendWin -= n
	}
	if rng.IntN(2) == 0 {
		_ = p.fr.WriteWindowUpdate(st.id, 1000)
	}
	switch rng.IntN(3) {
	case 0:
		st.fields(true, "sum", "late")
	case 1:
		_ = p.fr.WriteData(st.id, true, nil)
	default:
		_ = p.fr.WriteRSTStream(st.id, http2.ErrCodeCancel)
	}
	st.sentEnd = true
}
