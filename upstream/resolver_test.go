package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a lookup whose results a test sets, for one bubble of fake time.
type script struct {
	mu      sync.Mutex
	v4, v6  finding
	lookups []time.Duration // since start
	start   time.Time
}

func newScript() *script { return &script{start: time.Now(), v6: finding{ttl: maxTTL}} }

func (s *script) set(v4 finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.v4 = v4
}

func (s *script) lookup(context.Context, string) (finding, finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lookups = append(s.lookups, time.Since(s.start))
	return s.v4, s.v6
}

// times returns when lookups were made, since the start.
func (s *script) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lookups)
}

// scriptedResolver returns a Resolver on a script, and what a watch of it has heard.
func scriptedResolver(s *script, o ResolverOptions) (*Resolver, *heard) {
	r := NewResolver(o)
	r.lookup = s.lookup
	return r, &heard{}
}

// heard records the lists that a watch is told.
type heard struct {
	mu    sync.Mutex
	lists []string
}

func (h *heard) hear(list []netip.AddrPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lists = append(h.lists, fmt.Sprint(list))
}

// is compares what was heard so far once all is quiet.
func (h *heard) is(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.lists, want) {
		t.Fatalf("heard %q, want %q", h.lists, want)
	}
}

// found returns a finding of addresses 192.0.2.x for a TTL.
func found(ttl time.Duration, last ...byte) finding {
	f := finding{ttl: ttl}
	for _, b := range last {
		f.addresses = append(f.addresses, netip.AddrFrom4([4]byte{192, 0, 2, b}))
	}
	return f
}

func TestResolverHonoursTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.set(found(10*time.Second, 2, 1, 2))
		r, h := scriptedResolver(s, ResolverOptions{})
		defer r.Close()
		stop := r.Watch("default", "Example.com", 80, h.hear)
		h.is(t, "[192.0.2.1:80 192.0.2.2:80]") // sorted, once each

		time.Sleep(25 * time.Second)
		h.is(t, "[192.0.2.1:80 192.0.2.2:80]") // no change, no call
		s.set(found(20*time.Second, 3))
		time.Sleep(10 * time.Second)
		h.is(t, "[192.0.2.1:80 192.0.2.2:80]", "[192.0.2.3:80]")
		s.set(found(5 * time.Second)) // no such name any more: counts at once
		time.Sleep(25 * time.Second)
		h.is(t, "[192.0.2.1:80 192.0.2.2:80]", "[192.0.2.3:80]", "[]")

		stop()
		n := len(s.times())
		if want := []time.Duration{0, 10e9, 20e9, 30e9, 50e9, 55e9, 60e9}; !slices.Equal(s.times(), want) {
			t.Errorf("lookups at %v, want %v", s.times(), want)
		}
		time.Sleep(time.Hour)
		if len(s.times()) != n || len(r.names) != 0 {
			t.Error("looked up after the last watch stopped")
		}
	})
}

func TestResolverServesStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.set(found(10*time.Second, 1))
		var failures atomic.Int32
		r, h := scriptedResolver(s, ResolverOptions{StaleLimit: 5 * time.Minute, Failed: func(string, error) { failures.Add(1) }})
		defer r.Close()
		r.Watch("default", "example.com", 80, h.hear)
		h.is(t, "[192.0.2.1:80]")

		s.set(finding{err: errors.New("server answers SERVFAIL")})
		time.Sleep(10*time.Second + 5*time.Minute - time.Second)
		h.is(t, "[192.0.2.1:80]")
		// 10 s, then after 1, 2, 4, 8, 16, 30, 30 ... seconds.
		times := s.times()
		if want := []time.Duration{0, 10e9, 11e9, 13e9, 17e9, 25e9, 41e9, 71e9, 101e9}; !slices.Equal(times[:9], want) {
			t.Errorf("lookups at %v, want %v", times[:9], want)
		}
		if n := int(failures.Load()); n != len(times)-1 {
			t.Errorf("told of %d failures of %d lookups", n, len(times))
		}
		time.Sleep(time.Minute)
		h.is(t, "[192.0.2.1:80]", "[]")
		s.set(found(10*time.Second, 1))
		time.Sleep(time.Minute)
		h.is(t, "[192.0.2.1:80]", "[]", "[192.0.2.1:80]")
	})
}

func TestResolverKeepsAFamilyThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.set(found(10*time.Second, 1))
		s.v6 = finding{addresses: []netip.Addr{netip.MustParseAddr("2001:db8::1")}, ttl: 10 * time.Second}
		r, h := scriptedResolver(s, ResolverOptions{})
		defer r.Close()
		r.Watch("default", "example.com", 80, h.hear)
		h.is(t, "[192.0.2.1:80 [2001:db8::1]:80]")
		s.set(finding{err: errors.New("timeout")})
		time.Sleep(time.Minute)
		h.is(t, "[192.0.2.1:80 [2001:db8::1]:80]")
	})
}

func TestResolverSaysNothingItDoesNotKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript() // AAAA: none
		s.set(finding{err: errors.New("timeout")})
		r, h := scriptedResolver(s, ResolverOptions{})
		defer r.Close()
		r.Watch("default", "example.com", 80, h.hear)
		time.Sleep(time.Minute)
		h.is(t)
		s.set(found(10 * time.Second))
		time.Sleep(time.Minute)
		h.is(t, "[]")
	})
}

func TestResolverSharesLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScript()
		s.set(found(10*time.Second, 1))
		r, first := scriptedResolver(s, ResolverOptions{})
		defer r.Close()
		var second, third heard
		r.Watch("default", "example.com", 80, first.hear)
		stop := r.Watch("default", "EXAMPLE.com", 443, second.hear)
		synctest.Wait()
		time.Sleep(5 * time.Second)
		r.Watch("default", "example.com", 8080, third.hear) // from what is known
		first.is(t, "[192.0.2.1:80]")
		second.is(t, "[192.0.2.1:443]")
		third.is(t, "[192.0.2.1:8080]")
		if len(s.times()) != 1 {
			t.Errorf("%d lookups", len(s.times()))
		}
		stop()
		stop()
		s.set(found(10*time.Second, 2))
		time.Sleep(10 * time.Second)
		first.is(t, "[192.0.2.1:80]", "[192.0.2.2:80]")
		second.is(t, "[192.0.2.1:443]")
		third.is(t, "[192.0.2.1:8080]", "[192.0.2.2:8080]")
	})
}

func TestResolverBoundsItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(ResolverOptions{MaxConcurrent: 3})
		var mu sync.Mutex
		running, most, total := 0, 0, 0
		r.lookup = func(ctx context.Context, _ string) (finding, finding) {
			mu.Lock()
			running++
			total++
			most = max(most, running)
			mu.Unlock()
			time.Sleep(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return found(maxTTL, 1), finding{ttl: maxTTL}
		}
		for i := range 30 {
			r.Watch("default", fmt.Sprintf("host%d.example", i), 80, func([]netip.AddrPort) {})
		}
		time.Sleep(10*time.Second + time.Millisecond)
		synctest.Wait()
		if most != 3 || total != 30 || r.lanes[trial].workers+r.lanes[prompt].workers != 0 {
			t.Errorf("%d lookups, %d at a time, %d workers left", total, most, r.lanes[trial].workers+r.lanes[prompt].workers)
		}
		r.Close()
	})
}

func TestResolverCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(ResolverOptions{MaxConcurrent: 1})
		r.lookup = func(ctx context.Context, _ string) (finding, finding) {
			<-ctx.Done()
			return finding{err: ctx.Err()}, finding{err: ctx.Err()}
		}
		r.options.Failed = func(string, error) { t.Error("the end is not a failure") }
		stop := r.Watch("default", "a.example", 80, func([]netip.AddrPort) { t.Error("called after Close") })
		r.Watch("default", "b.example", 80, func([]netip.AddrPort) { t.Error("called after Close") })
		synctest.Wait()
		r.Close()
		r.Close()
		stop()
		r.Watch("default", "c.example", 80, func([]netip.AddrPort) { t.Error("called after Close") })
		synctest.Wait()
	})
}

// TestResolverEndToEnd goes all the way to a server, in real time.
func TestResolverEndToEnd(t *testing.T) {
	server := serveDNS(t, zone("v4.example. 60 A 127.0.0.1\n. 60 SOA 60"))
	r := NewResolver(ResolverOptions{ResolvConf: writeResolvConf(t, "", server)})
	defer r.Close()
	lists := make(chan []netip.AddrPort, 1)
	defer r.Watch("default", "v4.example", 8080, func(list []netip.AddrPort) { lists <- list })()
	if got := fmt.Sprint(<-lists); got != "[127.0.0.1:8080]" {
		t.Error(got)
	}
}
