package access

import (
	"hash/maphash"
	"sync/atomic"

	"github.com/sluice-gateway/sluice/server"
)

// A seat counts the requests of one namespace, and of the few that share it by chance, that are off the loops: all places for
// parked requests are the process's, and the slow authority of one namespace must leave some to the others.
type seat struct{ taken atomic.Int32 }

// maxSeated is a quarter of the places for parked requests.
const maxSeated = 256

var (
	seats    [1024]seat
	seatSeed = maphash.MakeSeed()
)

// seatOf returns the seat of the namespace that a request is for.
func seatOf(x *server.Exchange) *seat {
	return &seats[maphash.String(seatSeed, x.Route().Source.Ingress.Namespace)%uint64(len(seats))]
}

// take reports whether there is room. Who has taken leaves, also where there was none.
func (s *seat) take() bool { return s.taken.Add(1) <= maxSeated }

func (s *seat) leave() { s.taken.Add(-1) }
