package informer

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: how long a build waits, by when the one before it ended and what that cost.
func TestPace(t *testing.T) {
	rows := []struct {
		cost, idle, want time.Duration
	}{
		{0, 0, minHoldoff},
		{100 * time.Microsecond, 0, minHoldoff},
		{5 * time.Millisecond, 0, 10 * time.Millisecond},
		{5 * time.Millisecond, 4 * time.Millisecond, 6 * time.Millisecond},
		{5 * time.Millisecond, 10 * time.Millisecond, 0}, // idle: at once
		{time.Second, 0, maxHoldoff},
		{time.Second, time.Hour, 0},
	}
	for _, row := range rows {
		synctest.Test(t, func(t *testing.T) {
			var p pace
			start := time.Now()
			if !p.wait(t.Context()) || time.Since(start) != 0 {
				t.Error("the first build waits")
			}
			p.done(row.cost)
			<-time.After(row.idle)
			start = time.Now()
			if !p.wait(t.Context()) {
				t.Error("wait gave up")
			}
			if got := time.Since(start); got != row.want {
				t.Errorf("after a build of %v and %v of silence: waits %v, want %v", row.cost, row.idle, got, row.want)
			}
		})
	}
}

// TestControllerCoalesces runs the loop on a source that the test feeds: an event in silence is
// published without delay, a burst right after it costs one more publish, and nothing is published
// before the source has synced.
func TestControllerCoalesces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, q, stop := startController(t)
		q.Push(fleet(1)...)
		synctest.Wait()
		if c.store.Load() != nil || c.Synced() {
			t.Fatal("published before the source synced")
		}
		q.Listed()
		synctest.Wait()
		if c.store.Load() == nil || !c.Synced() {
			t.Fatal("not published when the source synced")
		}
		<-time.After(time.Second)

		start := time.Now()
		q.Push(fleetSlice(0, "10.0.0.8"))
		synctest.Wait()
		if n := c.Stats().Publishes; n != 2 || time.Since(start) != 0 {
			t.Errorf("an event in silence: %d publishes after %v", n, time.Since(start))
		}
		for _, addr := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3"} {
			q.Push(fleetSlice(0, addr))
			synctest.Wait()
		}
		if n := c.Stats().Publishes; n != 2 {
			t.Errorf("a burst is published without holdoff: %d publishes", n)
		}
		<-time.After(maxHoldoff)
		synctest.Wait()
		s := c.Stats()
		if s.Publishes != 3 {
			t.Errorf("a burst makes %d publishes", s.Publishes-2)
		}
		if got := c.store.Load().Backends[0].Endpoints[0].Addr.Addr().String(); got != "10.0.0.3" {
			t.Errorf("the last event of a burst is %s", got)
		}
		if s.Events != 7 || s.Propagation[0] != 2 || s.Propagation[2] != 1 {
			t.Errorf("stats: %+v", s)
		}
		stop()
	})
}
