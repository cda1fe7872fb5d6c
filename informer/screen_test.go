package informer

import (
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

func TestScreen(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("2001:db8::5")}
	tests := []struct {
		address         string
		cluster, folder bool // whether it is refused
	}{
		{"127.0.0.1", true, false},
		{"127.255.0.3", true, false},
		{"::1", true, false},
		{"10.0.0.5", true, false},
		{"2001:db8::5", true, false},
		{"0.0.0.0", true, true},
		{"0.1.2.3", true, true},
		{"::", true, true},
		{"169.254.169.254", true, true},
		{"169.254.0.1", true, true},
		{"fe80::1", true, true},
		{"fe80::1%eth0", true, true},
		{"febf::1", true, true},
		{"fd00:ec2::254", true, true},
		{"fd00:ec2::23", true, true},
		{"fd20:ce::254", true, true},
		{"224.0.0.1", true, true},
		{"239.255.255.255", true, true},
		{"ff02::1", true, true},
		{"255.255.255.255", true, true},
		{"100.100.100.200", true, true},
		{"168.63.129.16", true, true},
		{"::ffff:127.0.0.1", true, false},
		{"::ffff:169.254.169.254", true, true},
		{"::ffff:10.0.0.5", true, false},
		{"::127.0.0.1", true, false},
		{"::ffff:0:127.0.0.1", true, false},
		{"64:ff9b::127.0.0.1", true, false},
		{"64:ff9b::a9fe:a9fe", true, true},
		{"64:ff9b:1::169.254.169.254", true, true},
		{"64:ff9b::10.0.0.5", true, false},
		{"2002:7f00:1::1", true, false},
		{"2002:a9fe:a9fe::", true, true},
		{"2001:0:1:2:3:4:80ff:fffe", true, false},    // Teredo of 127.0.0.1
		{"2001:0:1:2:3:4:5601:5601", true, true},     // and of 169.254.169.254
		{"2001:db8::5efe:7f00:1", true, false},       // ISATAP
		{"2001:db8::200:5efe:a9fe:a9fe", true, true}, // with the bit that marks the address as unique
		{"10.0.0.6", false, false},                   // the Endpoints' usual addresses
		{"172.16.0.1", false, false},
		{"192.168.1.1", false, false},
		{"100.64.0.1", false, false},
		{"198.18.0.1", false, false},
		{"240.0.0.1", false, false},
		{"8.8.8.8", false, false},
		{"fd00::1", false, false},
		{"fd00:ec3::254", false, false},
		{"fec0::1", false, false},
		{"2001:db8::6", false, false},
		{"64:ff9b::8.8.8.8", false, false},
		{"2002:808:808::1", false, false},
		{"::ffff:8.8.8.8", false, false},
	}
	for _, test := range tests {
		for _, folder := range []bool{false, true} {
			s := screen{own: own, here: folder}
			want := test.cluster
			if folder {
				want = test.folder
			}
			if got := s.refuses(netip.MustParseAddr(test.address)); (got != "") != want {
				t.Errorf("%s, from a folder %v: refused as %q, want %v", test.address, folder, got, want)
			}
		}
		s := screen{own: own, allowed: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
		if got := s.refuses(netip.MustParseAddr(test.address)); got != "" {
			t.Errorf("%s is allowed, and refused as %q", test.address, got)
		}
	}
}

// TestScreenKeepsTwins: the positions of twins follow their Endpoints, and who loses one has none.
func TestScreenKeepsTwins(t *testing.T) {
	s := screen{own: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::2")}}
	var list []routing.Endpoint
	for _, a := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80", "[fd00::1]:80", "[fd00::2]:80", "[fd00::3]:80"} {
		list = append(list, routing.Endpoint{Addr: netip.MustParseAddrPort(a)})
	}
	kept, twins, refused := s.keep(list, []int32{3, 4, 5, 0, 1, 2})
	if len(kept) != 4 || !slices.Equal(twins, []int32{-1, 3, -1, 1}) || len(refused) != 2 {
		t.Errorf("%v %v %v", kept, twins, refused)
	}
	if kept, twins, refused = s.keep(list[1:4], []int32{-1, -1, -1}); len(kept) != 3 || len(twins) != 3 || refused != nil {
		t.Errorf("%v %v %v", kept, twins, refused)
	}
	if kept, twins, _ = s.keep(list[:2], nil); len(kept) != 1 || twins != nil {
		t.Errorf("%v %v", kept, twins)
	}
}

// FuzzScreen: however the dangerous address is wrapped, what is refused on its own is refused in it, and
// nothing panics.
func FuzzScreen(f *testing.F) {
	for _, a := range []string{"127.0.0.1", "10.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::1"} {
		b := netip.MustParseAddr(a).As16()
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < 16 {
			return
		}
		a := netip.AddrFrom16([16]byte(b))
		var s screen
		got := s.refuses(a)
		if unmapped := s.refuses(a.Unmap()); unmapped != got {
			t.Errorf("%s: %q, unmapped %q", a, got, unmapped)
		}
		if v4, ok := embedded(a); ok && s.refuses(v4) != "" && got == "" {
			t.Errorf("%s stands for %s, and passes", a, v4)
		}
	})
}

// TestNodeIsWatched: an address that the node gets while the gateway runs ends an Endpoint.
func TestNodeIsWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestController(t, Options{})
		c.builder.backends.screen.here = false
		var own atomic.Pointer[[]netip.Addr]
		own.Store(new([]netip.Addr))
		c.own = func() ([]netip.Addr, error) { return *own.Load(), nil }
		c.queue.Push(fleet(1)...)
		c.step()
		go source.WatchNode(t.Context(), c.queue, c.own, c.log)
		synctest.Wait()
		c.step()
		if got := len(c.store.Load().Backends[0].Endpoints); got != 3 {
			t.Fatalf("%d Endpoints", got)
		}
		own.Store(&[]netip.Addr{netip.MustParseAddr("10.0.0.2")})
		time.Sleep(time.Minute)
		c.step()
		if got := len(c.store.Load().Backends[0].Endpoints); got != 2 {
			t.Errorf("%d Endpoints after the node got the address of one", got)
		}
	})
}
