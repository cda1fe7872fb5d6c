package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// answers is a lookup that a test's function answers, for one bubble of fake time; it notes when each name
// was asked for.
type answers struct {
	mu     sync.Mutex
	start  time.Time
	asked  map[string][]time.Duration
	answer func(ctx context.Context, name string) finding
}

func (a *answers) lookup(ctx context.Context, name string) (v4, v6 finding) {
	a.mu.Lock()
	a.asked[name] = append(a.asked[name], time.Since(a.start))
	answer := a.answer
	a.mu.Unlock()
	v4 = answer(ctx, name)
	return v4, finding{ttl: maxTTL, err: v4.err}
}

func (a *answers) set(answer func(ctx context.Context, name string) finding) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answer = answer
}

// times returns when name was asked for, since the start.
func (a *answers) times(name string) []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked[name]
}

// silence is the result of a server that never answers, or only after a wait: nothing until ctx ends or the
// client's own timeout.
func silence(ctx context.Context, wait time.Duration) finding {
	select {
	case <-ctx.Done():
		return finding{err: ctx.Err()}
	case <-time.After(wait):
		return finding{err: errors.New("no answer")}
	}
}

func answeringResolver(answer func(ctx context.Context, name string) finding) (*Resolver, *answers) {
	a := &answers{start: time.Now(), asked: map[string][]time.Duration{}, answer: answer}
	r := NewResolver(ResolverOptions{})
	r.lookup = a.lookup
	return r, a
}

// watchMany watches n names of a namespace, "0.<namespace>" and so on.
func watchMany(r *Resolver, namespace string, n int) {
	for i := range n {
		r.Watch(namespace, fmt.Sprint(i, ".", namespace), 80, func([]netip.AddrPort) {})
	}
}

func isHostile(name string) bool { return strings.HasSuffix(name, "hostile") }

// TestNamesThatAnswerAreNotHeldUp: whatever thousands of names of another namespace do, those that answer
// are looked up again on the dot, and a new one is looked up within a try of the others.
func TestNamesThatAnswerAreNotHeldUp(t *testing.T) {
	const patience = 30 * time.Second // of a client with three servers
	for _, tt := range []struct {
		name   string
		answer func(ctx context.Context) finding
	}{
		{"silent", func(ctx context.Context) finding { return silence(ctx, patience) }},
		{"slow", func(ctx context.Context) finding {
			if f := silence(ctx, 20*time.Second); ctx.Err() != nil {
				return f
			}
			return found(minTTL, 9)
		}},
		{"failing at once", func(context.Context) finding { return finding{err: errors.New("server answers SERVFAIL")} }},
		{"failing late", func(ctx context.Context) finding { return silence(ctx, 900*time.Millisecond) }},
		{"just in time", func(ctx context.Context) finding {
			if f := silence(ctx, 900*time.Millisecond); ctx.Err() != nil {
				return f
			}
			return found(minTTL, 9)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, a := answeringResolver(func(ctx context.Context, name string) finding {
					if isHostile(name) {
						return tt.answer(ctx)
					}
					return found(10*time.Second, 1)
				})
				defer r.Close()
				watchMany(r, "honest", 40)
				synctest.Wait()
				watchMany(r, "hostile", 3000)
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				for i := range 40 {
					times := a.times(fmt.Sprint(i, ".honest"))
					for j := 1; j < len(times); j++ {
						// With as many workers as there are, each of which the others have for a try at most.
						if late := times[j] - times[j-1] - 10*time.Second; late > promptness {
							t.Fatalf("%d.honest was looked up %v late", i, late)
						}
					}
					if len(times) < 5*60/11 {
						t.Fatalf("%d.honest was looked up %d times", i, len(times))
					}
				}
				begun := time.Since(a.start)
				watchMany(r, "late", 40)
				time.Sleep(3 * promptness)
				synctest.Wait()
				for i := range 40 {
					if times := a.times(fmt.Sprint(i, ".late")); len(times) == 0 {
						t.Fatalf("%d.late was not looked up since %v", i, begun)
					}
				}
			})
		})
	}
}

// TestTurncoatsHoldUpNobody: names that have answered until now, and fall silent all at once, have the others
// wait for one try, not for as long as they are silent. Their answering again now and then changes nothing.
func TestTurncoatsHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := false
		r, a := answeringResolver(nil)
		a.answer = func(ctx context.Context, name string) finding {
			a.mu.Lock()
			now := silent
			a.mu.Unlock()
			if isHostile(name) && now {
				return silence(ctx, 30*time.Second)
			}
			return found(10*time.Second, 1)
		}
		defer r.Close()
		watchMany(r, "hostile", 3000)
		watchMany(r, "honest", 40)
		for range 10 {
			time.Sleep(30 * time.Second)
			a.mu.Lock()
			silent = !silent
			a.mu.Unlock()
		}
		for i := range 40 {
			times := a.times(fmt.Sprint(i, ".honest"))
			for j := 1; j < len(times); j++ {
				if late := times[j] - times[j-1] - 10*time.Second; late > promptness {
					t.Fatalf("%d.honest was looked up %v late", i, late)
				}
			}
		}
	})
}

// TestNamesRecoverBesideSilentOnes: what an outage of the server has made fail is back within its own wait,
// while the names of another stay silent.
func TestNamesRecoverBesideSilentOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := answeringResolver(func(ctx context.Context, name string) finding { return silence(ctx, 10*time.Second) })
		defer r.Close()
		watchMany(r, "hostile", 3000)
		watchMany(r, "honest", 500)
		time.Sleep(5 * time.Minute)
		a.set(func(ctx context.Context, name string) finding {
			if isHostile(name) {
				return silence(ctx, 10*time.Second)
			}
			return found(maxTTL, 1)
		})
		// Each may be waiting for its next try, and be waiting among the slow before that.
		time.Sleep(maxRetry + 15*time.Second)
		synctest.Wait()
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, n := range r.names {
			if !isHostile(n.name) && n.version == 0 {
				t.Fatalf("%s has not been resolved", n.name)
			}
		}
	})
}

// TestSharedNamesWaitForNobody: a name that a namespace with thousands of silent ones watches too is
// still looked up in the turn of the namespace with few.
func TestSharedNamesWaitForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, a := answeringResolver(func(ctx context.Context, name string) finding { return silence(ctx, 30*time.Second) })
		defer r.Close()
		watchMany(r, "hostile", 3000)
		r.Watch("hostile", "shared.example", 80, func([]netip.AddrPort) {})
		r.Watch("honest", "shared.example", 80, func([]netip.AddrPort) {})
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		if n := len(a.times("shared.example")); n < 4 {
			t.Errorf("looked up %d times", n)
		}
	})
}

// TestNamesThatGoLeaveNothing: names that come and go faster than they are looked up take no memory.
func TestNamesThatGoLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := answeringResolver(func(ctx context.Context, name string) finding { return silence(ctx, 30*time.Second) })
		defer r.Close()
		for i := range 10_000 {
			r.Watch("hostile", fmt.Sprint(i, ".hostile"), 80, func([]netip.AddrPort) {})()
		}
		waiting := func() (n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for i := range r.lanes {
				for _, t := range r.lanes[i].turns {
					n += t.waiting.Len()
				}
			}
			return n
		}
		if n := waiting(); n > 0 || len(r.names) > 0 {
			t.Errorf("%d names wait, %d are known", n, len(r.names))
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		for i := range r.lanes {
			if l := &r.lanes[i]; l.workers > 0 || len(l.turns) > 0 || len(l.order) > 0 {
				t.Errorf("lane %d: %d workers, %d turns, %d of them to come", i, l.workers, len(l.turns), len(l.order))
			}
		}
	})
}

// TestSilentServerHoldsUpNobody asks a real server that never answers for the names of one namespace.
func TestSilentServerHoldsUpNobody(t *testing.T) {
	const hostile, rounds = 2000, 3
	honest := make(chan struct{}, 1000)
	busy := make(chan struct{})
	var mu sync.Mutex
	silent, closed := map[string]bool{}, false
	answer := zone("honest.example. 0 A 127.0.0.1\nlate.example. 0 A 127.0.0.2\n. 60 SOA 60")
	server := serveDNS(t, func(query dnsmessage.Message, network string) []dnsmessage.Message {
		q := query.Questions[0]
		if name := q.Name.String(); strings.HasSuffix(name, ".hostile.") {
			mu.Lock()
			defer mu.Unlock()
			if silent[name] = true; len(silent) >= 16 && !closed {
				closed = true
				close(busy)
			}
			return nil
		} else if name == "honest.example." && q.Type == dnsmessage.TypeA {
			honest <- struct{}{}
		}
		return answer(query, network)
	})
	gaveUp := make(chan string, 10_000)
	r := NewResolver(ResolverOptions{
		// Long enough to outlast the test.
		ResolvConf: writeResolvConf(t, "options timeout:30 attempts:5", server),
		Failed:     func(name string, err error) { gaveUp <- fmt.Sprint(name, ": ", err) },
	})
	defer r.Close()
	r.Watch("honest", "honest.example", 80, func([]netip.AddrPort) {})
	<-honest
	watchMany(r, "hostile", hostile)
	<-busy
	deadline := time.After(25 * time.Second)
	lists := make(chan []netip.AddrPort, 1)
	r.Watch("honest", "late.example", 8080, func(list []netip.AddrPort) { lists <- list })
	for range rounds {
		select {
		case <-honest:
		case why := <-gaveUp:
			t.Fatalf("the name was not looked up again before a silent one was given up: %s", why)
		case <-deadline:
			t.Fatal("the name was not looked up again while others are silent")
		}
	}
	select {
	case list := <-lists:
		if got := fmt.Sprint(list); got != "[127.0.0.2:8080]" {
			t.Error(got)
		}
	case <-deadline:
		t.Fatal("a new name was not looked up while others are silent")
	}
}
