package wire

import "github.com/sluice-gateway/sluice/server/internal/loop"

// Janitor calls a function of the loop's owner about once a second while there are resources to expire. Otherwise it rests,
// so that an idle gateway sleeps. Owned by the loop; made ready by Start.
type Janitor struct {
	loop    *Loop
	timer   loop.Timer
	resting bool
	look    func(now int64) (next int64)
}

// JanitorPeriod is how often the janitor looks.
const JanitorPeriod = int64(1e9)

// Start makes j ready, at rest. look expires resources and returns when it is to be called next, on the loop's clock: it is
// called after a period at the latest, and not at all on 0 until Wake.
func (j *Janitor) Start(l *Loop, look func(now int64) (next int64)) {
	j.loop, j.look = l, look
	j.timer.OnExpire = j
	j.resting = true
}

// Wake ends a rest: there may be something to expire.
//
// hot: runs per request; no alloc, no lock.
func (j *Janitor) Wake() {
	if j.resting {
		j.rouse()
	}
}

// rouse is apart from Wake so that Wake is inlined.
//
//go:noinline
func (j *Janitor) rouse() {
	j.resting = false
	j.loop.Set(&j.timer, j.loop.Now()+JanitorPeriod)
}

// Expired implements loop.Expirer.
func (j *Janitor) Expired(_ *loop.Timer, now int64) {
	next := j.look(now)
	if next == 0 {
		j.resting = true
		return
	}
	j.loop.Set(&j.timer, min(next, now+JanitorPeriod))
}
