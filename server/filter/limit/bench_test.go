package limit

import (
	"math/rand/v2"
	"net/netip"
	"testing"
)

// BenchmarkBuckets is a count on all processors at once: of a million clients at random, of one, of a flood of addresses that
// never come again; and the hash of a client alone.
func BenchmarkBuckets(b *testing.B) {
	r := newRate(10, 1, 5)
	z := newZone("default/app", "second")
	million := func(random *rand.Rand) uint64 { return z.client(addressOf(random.Uint32N(1_000_000))) }
	run := func(name string, hash func(random *rand.Rand) uint64) {
		b.Run(name, func(b *testing.B) {
			table := &buckets{mapped(entries)}
			for i := range uint32(1_000_000) {
				table.count(z.client(addressOf(i)), r, 1, take)
			}
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				random := rand.New(rand.NewPCG(rand.Uint64(), 0))
				for now := uint32(1); pb.Next(); now++ {
					table.count(hash(random), r, now>>10, take)
				}
			})
		})
	}
	run("million", million)
	one := z.client(addressOf(7))
	run("one", func(*rand.Rand) uint64 { return one })
	run("flood", func(random *rand.Rand) uint64 { return random.Uint64() })
	b.Run("hash", func(b *testing.B) {
		a := addressOf(7)
		for b.Loop() {
			z.client(a)
		}
	})
}

// BenchmarkCounters is a request that begins and ends, on all processors at once.
func BenchmarkCounters(b *testing.B) {
	run := func(name string, hash func(random *rand.Rand) uint64) {
		b.Run(name, func(b *testing.B) {
			c := &counters{mapped(places)}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				random := rand.New(rand.NewPCG(rand.Uint64(), 0))
				for pb.Next() {
					if at, ok := c.enter(hash(random), 100); ok {
						c.leave(at)
					}
				}
			})
		})
	}
	z := newZone("default/app", "")
	run("many", func(random *rand.Rand) uint64 { return z.client(addressOf(random.Uint32N(100_000))) })
	run("one", func(*rand.Rand) uint64 { return 7 })
}

func addressOf(i uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})
}
