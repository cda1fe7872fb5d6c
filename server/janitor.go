package server

import "github.com/sluice-gateway/sluice/server/internal/loop"

// janitor calls the owner of a loop about once a second for as long as there is something to look after. It rests when
// there is not, so that an idle gateway sleeps. Owned by the loop; made ready by start.
type janitor struct {
	loop    *wireLoop
	timer   loop.Timer
	resting bool
	look    func(now int64) (next int64)
}

// janitorPeriod is how often the janitor looks.
const janitorPeriod = int64(1e9)

// start makes a janitor that rests. look returns when there is something to look after next, on the loop's clock: a
// janitor looks after a period at the latest, and rests on 0.
func (j *janitor) start(l *wireLoop, look func(now int64) (next int64)) {
	j.loop, j.look = l, look
	j.timer.OnExpire = j
	j.resting = true
}

// wake is called when there may be something to look after.
//
// hot: runs per request; no alloc, no lock.
func (j *janitor) wake() {
	if j.resting {
		j.rouse()
	}
}

// rouse is no part of wake, which is inlined.
//
//go:noinline
func (j *janitor) rouse() {
	j.resting = false
	j.loop.Set(&j.timer, j.loop.Now()+janitorPeriod)
}

// Expired implements loop.Expirer.
func (j *janitor) Expired(_ *loop.Timer, now int64) {
	next := j.look(now)
	if next == 0 {
		j.resting = true
		return
	}
	j.loop.Set(&j.timer, min(next, now+janitorPeriod))
}
