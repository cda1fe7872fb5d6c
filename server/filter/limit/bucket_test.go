package limit

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"
)

func newBuckets(sets int) *buckets { return &buckets{make([]entry, sets*ways)} }

// reference is nginx's limit_req with one key, as its documentation and its arithmetic have it: nothing is known of tables.
type reference struct {
	known        bool
	excess, last int64
}

func (n *reference) ask(perSecond, burst, now int64) (excess int64, within bool) {
	if !n.known {
		*n = reference{true, 0, now}
		return 0, true
	}
	elapsed := max(now-n.last, 0)
	excess = max(n.excess-perSecond*elapsed/1000+1000, 0)
	if excess > burst {
		return excess, false
	}
	n.excess = excess
	if elapsed > 0 {
		n.last = now
	}
	return excess, true
}

// TestBucketsAreNginx: the same excess to the thousandth, for random rates, bursts and times, of several clients at once.
func TestBucketsAreNginx(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		b := newBuckets(64)
		multiplier := r.IntN(8)
		limit := newRate(1+r.IntN(1<<r.IntN(18)), [...]int{1, 60}[r.IntN(2)], multiplier)
		clients := make([]reference, 1+r.IntN(8))
		now := int64(r.Uint32())
		refused := 0
		for i := range 400 {
			now += int64(r.IntN(2)) * int64(r.IntN(1<<r.IntN(20)))
			at := r.IntN(len(clients))
			wantExcess, want := clients[at].ask(limit.perSecond, limit.burst, now)
			excess, got := b.count(zone(7).client(netip.AddrFrom4([4]byte{10, 0, 0, byte(at)})), limit, uint32(now), take)
			if got != want || excess != wantExcess {
				t.Fatalf("rate %+v, request %d: %d %v, want %d %v", limit, i, excess, got, wantExcess, want)
			}
			if !got {
				refused++
			}
		}
	}
}

// TestRates: the numbers that nginx makes of what is configured.
func TestRates(t *testing.T) {
	for _, row := range []struct {
		requests, seconds, multiplier int
		perSecond, burst              int64
	}{
		{1, 1, 5, 1000, 5000},
		{1, 60, 5, 16, 5000}, // and not 16.67
		{7, 60, 1, 116, 7000},
		{60, 60, 5, 1000, 300_000},
		{10, 1, 0, 10_000, 0},
		{1 << 40, 1, 1 << 40, maxRate, maxBurst},
	} {
		r := newRate(row.requests, row.seconds, row.multiplier)
		if r.perSecond != row.perSecond || r.burst != row.burst {
			t.Errorf("%+v: got %+v", row, r)
		}
	}
	for rate := uint64(1); rate <= maxRate; rate += 1 + rate/1000 {
		if got := unpackRate(packRate(rate)); packRate(rate) > 0xffff || got > int64(rate) || got < int64(rate-rate/1024) {
			t.Fatalf("%d is kept as %d", rate, got)
		}
	}
}

// TestExactly: 1 + burst at once, and one more for each that leaks.
func TestExactly(t *testing.T) {
	b, r := newBuckets(1), newRate(2, 1, 5)
	hash := zone(1).client(netip.MustParseAddr("10.0.0.1"))
	pass := func(now uint32) (n int) {
		for range 100 {
			if _, within := b.count(hash, r, now, take); within {
				n++
			}
		}
		return n
	}
	for _, row := range []struct{ now, want int }{{1000, 11}, {1499, 0}, {1500, 1}, {1999, 0}, {2000, 1}, {4000, 4}, {60_000, 11}, {60_000, 0}} {
		if got := pass(uint32(row.now)); got != row.want {
			t.Errorf("at %d: %d pass, want %d", row.now, got, row.want)
		}
	}
}

// TestClocks: that of another loop may be a moment behind, and a difference that does not fit is a long time.
func TestClocks(t *testing.T) {
	r := newRate(1, 1, 2)
	hash := zone(1).client(netip.MustParseAddr("10.0.0.1"))
	fill := func(now uint32) *buckets {
		b := newBuckets(1)
		for range 3 {
			b.count(hash, r, now, take)
		}
		return b
	}
	for _, row := range []struct {
		filled, now uint32
		within      bool
	}{
		{5000, 5000, false}, {5000, 4990, false}, {5000, 5999, false}, {5000, 6000, true},
		{1<<32 - 500, 499, false}, {1<<32 - 500, 500, true}, // the clock's 32 bits begin anew
		{5000, 5000 + 1<<31 + 1, true}, {5000, 5000 + 1<<31 - 1, true},
		{0, 0, false}, {0, 1001, true},
	} {
		if _, within := fill(row.filled).count(hash, r, row.now, take); within != row.within {
			t.Errorf("filled at %d, asked at %d: %v", row.filled, row.now, within)
		}
	}
}

// TestLooking: a look counts nothing, and a charge counts whatever the burst.
func TestLooking(t *testing.T) {
	b, r := newBuckets(1), newRate(1, 1, 1)
	hash := zone(1).client(netip.MustParseAddr("10.0.0.1"))
	for range 10 {
		if excess, within := b.count(hash, r, 1, look); excess != 0 || !within {
			t.Fatal(excess, within)
		}
	}
	for i, want := range []int64{0, 1000, 2000, 3000} {
		if excess, within := b.count(hash, r, 1, charge); excess != want || within != (want <= 1000) {
			t.Errorf("charge %d: %d %v", i, excess, within)
		}
	}
	b.mirror(hash, r, 1, 500)
	if excess, within := b.count(hash, r, 1, look); excess != 1500 || within {
		t.Error(excess, within)
	}
	b.mirror(hash^1<<40, r, 1, 700)
	if excess, within := b.count(hash^1<<40, r, 1, look); excess != 1700 || within {
		t.Error(excess, within)
	}
}

// TestRateChanges: a limit that is raised finds the counts that there are.
func TestRateChanges(t *testing.T) {
	b := newBuckets(1)
	hash := zone(1).client(netip.MustParseAddr("10.0.0.1"))
	for range 20 {
		b.count(hash, newRate(10, 1, 1), 1, take)
	}
	if excess, within := b.count(hash, newRate(20, 1, 1), 1, take); excess != 11_000 || !within {
		t.Errorf("got %d %v", excess, within)
	}
}

// TestLoopsTogether: loops that count one client at once let as many pass as one alone does. The clock stands.
func TestLoopsTogether(t *testing.T) {
	const loops, asks, clients = 8, 4000, 5
	b, r := newBuckets(2), newRate(100, 1, 5)
	var passed [clients]atomic.Int64
	var all sync.WaitGroup
	for range loops {
		all.Go(func() {
			for i := range asks {
				at := i % clients
				if _, within := b.count(zone(1).client(netip.AddrFrom4([4]byte{10, 0, 0, byte(at)})), r, 1000, take); within {
					passed[at].Add(1)
				}
			}
		})
	}
	all.Wait()
	for at := range passed {
		if got := passed[at].Load(); got < 501 || got > 511 {
			t.Errorf("client %d: %d requests pass, want 501 and at most 2 %% more", at, got)
		}
	}
}

// TestLoopsOverTime: the same while time goes on, by a clock that all loops read: what passes in ten seconds is the burst and
// ten seconds' rate, within 2 %.
func TestLoopsOverTime(t *testing.T) {
	const loops, seconds = 4, 10
	b, r := newBuckets(64), newRate(500, 1, 1)
	hash := zone(1).client(netip.MustParseAddr("10.0.0.1"))
	var passed atomic.Int64
	for ms := range uint32(seconds * 1000) {
		var all sync.WaitGroup
		for range loops {
			all.Go(func() {
				for range 2 {
					if _, within := b.count(hash, r, 1+ms, take); within {
						passed.Add(1)
					}
				}
			})
		}
		all.Wait()
	}
	const want = 501 + 500*seconds
	if got := passed.Load(); got < want*98/100 || got > want*102/100 {
		t.Errorf("%d requests pass, want %d", got, want)
	}
}

// TestMillionClients: the tables take less than 64 MiB, and that of the buckets keeps a million clients with an excess each: an
// eighth of it an eighth of them.
func TestMillionClients(t *testing.T) {
	if size := unsafe.Sizeof(entry{})*entries + unsafe.Sizeof(entry{})*places; size > 64<<20 {
		t.Fatalf("%d bytes", size)
	}
	b, r := newBuckets(sets/8), newRate(1, 60, 5)
	const clients = 1_000_000 / 8
	ask := func(i int) int64 {
		excess, _ := b.count(zone(1).client(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})), r, 1, take)
		return excess
	}
	for i := range clients {
		ask(i)
	}
	forgotten := 0
	for i := range clients {
		if ask(i) < 1000 {
			forgotten++
		}
	}
	if forgotten > clients/50 {
		t.Errorf("%d of %d clients were forgotten", forgotten, clients)
	}
}

// TestFloodForgetsNobody: ten addresses for each entry of the table do not have the gateway forget those that are at their
// limit; only what is nearest to nought gives way.
func TestFloodForgetsNobody(t *testing.T) {
	b, r := newBuckets(1<<10), newRate(1, 60, 5)
	var limited []netip.Addr
	for i := range 1000 {
		a := netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})
		limited = append(limited, a)
		for range 7 {
			b.count(zone(1).client(a), r, 1, take)
		}
	}
	for i := range ways << 10 * 10 {
		b.count(zone(1).client(netip.AddrFrom4([4]byte{11, byte(i >> 16), byte(i >> 8), byte(i)})), r, 2, take)
	}
	forgotten := 0
	for _, a := range limited {
		if _, within := b.count(zone(1).client(a), r, 3, take); within {
			forgotten++
		}
	}
	if forgotten > 0 {
		t.Errorf("%d of %d", forgotten, len(limited))
	}
	// Once they have leaked out the flood's take their places.
	later := uint32(3 + 6*60_000*1000/16)
	for i := range ways << 10 * 10 {
		b.count(zone(1).client(netip.AddrFrom4([4]byte{12, byte(i >> 16), byte(i >> 8), byte(i)})), r, later, take)
	}
	for _, a := range limited {
		if _, within := b.count(zone(1).client(a), r, later, take); !within {
			t.Fatal("a client is refused whose bucket has leaked out")
		}
	}
}

// TestZones: neither a zone nor what is counted there is taken for another, and of IPv6 the /64 counts.
func TestZones(t *testing.T) {
	a := netip.MustParseAddr("10.0.0.1")
	seen := map[uint64]string{}
	for _, z := range []struct{ name, what string }{{"a/b", "second"}, {"a/b", "minute"}, {"a/c", "second"}, {"a", "b/second"}} {
		hash := newZone(z.name, z.what).client(a)
		if other, twice := seen[hash]; twice {
			t.Errorf("%v and %s are one", z, other)
		}
		seen[hash] = fmt.Sprint(z)
	}
	z := newZone("a", "b")
	for _, row := range []struct {
		a, b string
		same bool
	}{
		{"10.0.0.1", "10.0.0.2", false},
		{"10.0.0.1", "::ffff:10.0.0.1", true},
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8:0:0:ffff::", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%a", "fe80::1%b", true},
		{"0.0.0.0", "::", false},
	} {
		if got := z.client(netip.MustParseAddr(row.a)) == z.client(netip.MustParseAddr(row.b)); got != row.same {
			t.Errorf("%s and %s: %v", row.a, row.b, got)
		}
	}
	_ = z.client(netip.Addr{})
}
