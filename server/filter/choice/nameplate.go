package choice

import (
	"crypto/md5"
	"encoding/hex"
	"net/netip"

	"github.com/sluice-gateway/sluice/routing"
)

// The names of Backends and Endpoints in cookies are those that ingress-nginx gives them, so that sessions outlive a change
// from there. They are hashes because a cookie is not to tell the addresses of Pods; nothing depends on their strength, for
// whoever can guess a cookie gets no more than an Endpoint of the Route.

// markSize is the size of both in bytes; they are written in hexadecimal digits.
const markSize = md5.Size

// appendUpstream appends the name that ingress-nginx has for a Backend.
func appendUpstream(dst []byte, k routing.BackendKey) []byte {
	dst = append(append(dst, k.Namespace...), '-')
	dst = append(append(dst, k.Service...), '-')
	return append(dst, k.Port...)
}

// appendMark appends what stands for a Backend.
//
// hot: runs per request; no alloc, no lock.
func appendMark(dst []byte, k routing.BackendKey) []byte {
	var buf [256]byte
	name := appendUpstream(buf[:0], k)
	inner := md5.Sum(name)
	var text [2*markSize + 256]byte
	b := hex.AppendEncode(text[:0], inner[:])
	outer := md5.Sum(append(b, name...))
	return hex.AppendEncode(dst, outer[:])
}

// appendNameplate appends what stands for an Endpoint of a Backend.
//
// hot: runs per response; no alloc, no lock.
func appendNameplate(dst []byte, k routing.BackendKey, addr netip.AddrPort) []byte {
	sum := nameplate(k, addr)
	return hex.AppendEncode(dst, sum[:])
}

func nameplate(k routing.BackendKey, addr netip.AddrPort) [markSize]byte {
	var buf [320]byte
	return md5.Sum(addr.AppendTo(appendUpstream(buf[:0], k)))
}

// nameplates finds Endpoints by their names: the state of one loop.
type nameplates map[int32]*plates

// plates are those of one Backend, by place in its Endpoints.
type plates struct {
	of     *routing.Backend
	places map[[markSize]byte]int32
}

// find returns the place of the Endpoint of a Backend that a key names.
//
// hot: runs per request; allocates where the Backend has changed.
func (n nameplates) find(of *routing.Backend, key []byte) (place int, ok bool) {
	var sum [markSize]byte
	if len(key) != 2*markSize {
		return 0, false
	}
	if _, err := hex.Decode(sum[:], key); err != nil {
		return 0, false
	}
	p := n[of.Index]
	if p == nil || p.of != of {
		p = &plates{of: of, places: make(map[[markSize]byte]int32, len(of.Endpoints))}
		for i := range of.Endpoints {
			p.places[nameplate(of.Key, of.Endpoints[i].Addr)] = int32(i)
		}
		n[of.Index] = p
	}
	at, ok := p.places[sum]
	return int(at), ok
}
