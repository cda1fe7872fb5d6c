package informer

import (
	"net/netip"
	"strconv"

	"github.com/sluice-gateway/sluice/routing"
)

// resolution keeps one watch per external name that a Backend uses. Owned by Run's goroutine; the
// addresses come back as events.
type resolution struct {
	resolver Resolver
	queue    *queue
	stop     map[external]func()
}

// follow starts the watches that are missing and stops those that nobody needs.
func (r *resolution) follow(wanted map[external]map[*slot]struct{}) {
	if r.resolver == nil {
		return
	}
	for e, stop := range r.stop {
		if wanted[e] == nil {
			stop()
			delete(r.stop, e)
		}
	}
	for e := range wanted {
		if r.stop[e] != nil {
			continue
		}
		if r.stop == nil {
			r.stop = make(map[external]func())
		}
		r.stop[e] = r.resolver.Watch(e.name, e.port, func(addrs []netip.AddrPort) {
			r.queue.push(event{externalKey(e), addrs})
		})
	}
}

func (r *resolution) close() { r.follow(nil) }

// externalKey and externalOf carry a name and port in an objectKey.

func externalKey(e external) objectKey {
	return objectKey{kindAddresses, routing.ObjectName{Namespace: strconv.Itoa(int(e.port)), Name: e.name}}
}

func externalOf(key objectKey) external {
	port, err := strconv.ParseUint(key.Namespace, 10, 16)
	if err != nil {
		panic("BUG: port of a resolved name: " + err.Error())
	}
	return external{key.Name, uint16(port)}
}
