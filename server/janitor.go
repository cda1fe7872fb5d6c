package server

import "github.com/sluice-gateway/sluice/server/internal/loop"

// janitor looks after idle upstream connections and hands over log lines. It rests when there are
// neither, so that an idle gateway sleeps.
type janitor struct {
	w       *worker
	timer   loop.Timer
	resting bool
}

func (j *janitor) start(w *worker) {
	j.w = w
	j.timer.OnExpire = j
	j.resting = true
}

// wake is called when there may be something to look after.
func (j *janitor) wake() {
	j.resting = false
	j.w.loop.Set(&j.timer, j.w.loop.Now()+janitorPeriod)
}

// janitorPeriod is how often the janitor looks, and janitorWork how many idle connections it looks at
// in one go.
const (
	janitorPeriod = int64(1e9)
	janitorWork   = 256
)

// Expired implements loop.Expirer.
func (j *janitor) Expired(_ *loop.Timer, now int64) {
	j.w.flushLog()
	next := j.w.upstreams.Expire(now, janitorWork)
	for i := len(j.w.sessions) - 1; i >= 0; i-- {
		if i < len(j.w.sessions) {
			j.w.sessions[i].check(now, j.w.set.upstream.IdleTimeout)
		}
	}
	if next == 0 && len(j.w.sessions) > 0 {
		next = now + janitorPeriod
	}
	if next == 0 {
		j.resting = true
		return
	}
	j.w.loop.Set(&j.timer, min(next, now+janitorPeriod))
}
