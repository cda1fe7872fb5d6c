package loop

import (
	"math/bits"
	"syscall"
	"unsafe"
)

// The wheel has 1,024 slots of 2^26 ns (67 ms): 68 s. A Timer further away waits in the furthest
// slot and is placed again when that comes round.
//
// Moving a deadline later, which every request does several times, writes one field: the Timer
// stays where it is, and when its slot comes round early it is placed again. Only a deadline before
// the slot moves the Timer at once. So a keep-alive connection costs the wheel about one move per
// timeout, not one per request.
//
// The timerfd is armed for the first occupied slot, and not at all while the wheel is empty: an idle
// gateway sleeps.
const (
	tickShift  = 26
	wheelSlots = 1024
	never      = int64(1<<63 - 1)
)

// Timer calls its Handler once, at or after its deadline. The zero value is stopped; set OnExpire
// once before Set. It is linked into the wheel while it waits: embed it in its owner, do not copy it,
// and Unlink it before the owner is freed.
type Timer struct {
	OnExpire   Expirer
	deadline   int64
	next, prev *Timer
	slot       int32 // 1 + index of the slot that holds it; 0 = not in the wheel
	tick       int64 // tick of that slot
}

// Expirer is called when a Timer's deadline has passed. now is Loop.Now.
type Expirer interface {
	Expired(t *Timer, now int64)
}

// Set moves the deadline (nanoseconds of Loop.Now's clock) of t.
func (l *Loop) Set(t *Timer, deadline int64) {
	l.owner.check()
	t.deadline = deadline
	if t.slot != 0 && t.tick <= deadline>>tickShift+1 {
		return
	}
	l.wheel.place(t)
}

// Stop keeps t from firing. It may stay linked, at no cost, until its slot comes round.
func (t *Timer) Stop() { t.deadline = never }

// Deadline returns when t is due, or a value in the far future when it is stopped.
func (t *Timer) Deadline() int64 {
	if t.deadline == 0 {
		return never
	}
	return t.deadline
}

// Unlink stops t and takes it off the wheel, so that nothing refers to its owner.
func (l *Loop) Unlink(t *Timer) {
	l.owner.check()
	t.deadline = never
	l.wheel.unlink(t)
}

type wheel struct {
	slots    [wheelSlots]*Timer
	occupied [wheelSlots / 64]uint64
	done     int64 // last tick that was handled
	count    int
	armed    int64 // tick that the timerfd is armed for; 0 = none
	earliest int64 // no later than the first tick placed since the timerfd was armed
}

func (w *wheel) init(now int64) { w.done = now >> tickShift }

func (w *wheel) place(t *Timer) {
	w.unlink(t)
	// The slot after the deadline's own tick, so that a Timer never fires early.
	tick := min(t.deadline>>tickShift+1, w.done+wheelSlots-1)
	tick = max(tick, w.done+1)
	i := tick & (wheelSlots - 1)
	t.slot, t.tick = int32(i)+1, tick
	t.next, t.prev = w.slots[i], nil
	if t.next != nil {
		t.next.prev = t
	}
	w.slots[i] = t
	w.occupied[i>>6] |= 1 << (i & 63)
	w.earliest = min(w.earliest, tick)
	w.count++
}

func (w *wheel) unlink(t *Timer) {
	if t.slot == 0 {
		return
	}
	i := t.slot - 1
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slots[i] = t.next
		if t.next == nil {
			w.occupied[i>>6] &^= 1 << (i & 63)
		}
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	t.next, t.prev, t.slot = nil, nil, 0
	w.count--
}

// advance fires the Timers due at now.
func (w *wheel) advance(now int64) {
	target := now >> tickShift
	if w.done >= target {
		return
	}
	if w.count == 0 {
		w.done = target
		return
	}
	if target-w.done > wheelSlots { // the process was stopped for long: one round sees every slot
		w.done = target - wheelSlots
	}
	for w.done < target {
		next := w.nextTick()
		if next == 0 || next > target {
			w.done = target
			return
		}
		w.done = next
		i := next & (wheelSlots - 1)
		// Timers placed while this slot is worked off go to later slots, so the list only shrinks.
		for t := w.slots[i]; t != nil; t = w.slots[i] {
			w.unlink(t)
			switch {
			case t.deadline <= now:
				t.deadline = never
				t.OnExpire.Expired(t, now)
			case t.deadline != never:
				w.place(t)
			}
		}
	}
}

// nextTick returns the tick of the first occupied slot after done, or 0.
func (w *wheel) nextTick() int64 {
	if w.count == 0 {
		return 0
	}
	start := (w.done + 1) & (wheelSlots - 1)
	word := start >> 6
	b := w.occupied[word] &^ (1<<(start&63) - 1)
	for n := int64(0); n <= wheelSlots/64; n++ {
		if b != 0 {
			i := word<<6 + int64(bits.TrailingZeros64(b))
			return w.done + 1 + (i-start)&(wheelSlots-1)
		}
		word = (word + 1) & (wheelSlots/64 - 1)
		b = w.occupied[word]
	}
	return 0
}

// arm sets the timerfd to the first occupied slot, when that is earlier than its present time.
func (l *Loop) arm() {
	w := &l.wheel
	if w.count == 0 || (w.armed != 0 && w.earliest >= w.armed) {
		return
	}
	next := w.nextTick()
	w.armed, w.earliest = next, next
	delay := max(next<<tickShift-l.now, 1)
	spec := [4]int64{0, 0, delay / 1e9, delay % 1e9}
	syscall.RawSyscall6(syscall.SYS_TIMERFD_SETTIME, uintptr(l.timerfd), 0, uintptr(unsafe.Pointer(&spec)), 0, 0, 0)
}

// Timers returns how many Timers are in the wheel, stopped ones whose slot has not come included.
func (l *Loop) Timers() int { return l.wheel.count }
