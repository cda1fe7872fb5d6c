package exchange

import "testing"

// TestPace: what has gone out at any time is the rate times it, a second in advance, and what is free.
func TestPace(t *testing.T) {
	for _, p := range []pace{{perSecond: 1}, {perSecond: 10}, {perSecond: 1000, free: 777}, {perSecond: 64 << 10, free: 1 << 20}, {perSecond: 10 << 20}, {perSecond: maxPace}} {
		const most = 32 << 10
		sent, waits := int64(0), 0
		for now := int64(0); now < 100e9 && sent < 1<<40 && waits < 2000; {
			n, wait := p.next(now, sent, most)
			if n < 0 || n > most || (n == 0) == (wait == 0) {
				t.Fatalf("%+v: %d bytes, %d ns", &p, n, wait)
			}
			sent += n
			bound := float64(p.perSecond)*(float64(now)/1e9+1) + float64(p.free)
			if float64(sent) > bound+1 {
				t.Fatalf("%+v: %d bytes after %d ns, want at most %f", &p, sent, now, bound)
			}
			if wait == 0 {
				now += 1000
				if p.perSecond == maxPace && now > 1e8 {
					break
				}
				continue
			}
			// Nothing that may go waits, but for less than a piece is worth.
			if float64(sent) < bound-float64(p.perSecond)/leastPiece-most-1 {
				t.Fatalf("%+v: %d bytes after %d ns, want %f", &p, sent, now, bound)
			}
			now += wait
			waits++
			if n, _ := p.next(now+2000, sent, most); n == 0 {
				t.Fatalf("%+v: nothing may go after the wait of %d ns", &p, wait)
			}
			now += 2000
		}
	}
}
