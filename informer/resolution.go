package informer

import (
	"net/netip"
	"strconv"

	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/informer/internal/source"
)

// resolution keeps one watch per namespace and external name that a Backend uses. Owned by Run's goroutine;
// the addresses come back as events.
type resolution struct {
	resolver Resolver
	queue    *source.Queue
	stop     map[asked]func()
}

// asked is a name that Services of a namespace lead to.
type asked struct {
	namespace string
	external
}

// follow starts the missing watches and stops the unused ones.
func (r *resolution) follow(wanted map[external]map[*slot]struct{}) {
	if r.resolver == nil || len(wanted)+len(r.stop) == 0 {
		return
	}
	needed := make(map[asked]struct{}, len(r.stop))
	for e, slots := range wanted {
		for sl := range slots {
			needed[asked{sl.target.service.Namespace, e}] = struct{}{}
		}
	}
	for a, stop := range r.stop {
		if _, ok := needed[a]; !ok {
			stop()
			delete(r.stop, a)
		}
	}
	for a := range needed {
		if r.stop[a] != nil {
			continue
		}
		if r.stop == nil {
			r.stop = make(map[asked]func())
		}
		r.stop[a] = r.resolver.Watch(a.namespace, a.name, a.port, func(addrs []netip.AddrPort) {
			// All namespaces get the same addresses of a name, one after the other.
			r.queue.Push(source.Event{Key: externalKey(a.external), Object: addrs})
		})
	}
}

func (r *resolution) close() { r.follow(nil) }

// externalKey and externalOf carry a name and port in a Key.

func externalKey(e external) source.Key {
	return source.Key{Kind: source.Addresses, NamespacedName: types.NamespacedName{Namespace: strconv.Itoa(int(e.port)), Name: e.name}}
}

func externalOf(key source.Key) external {
	port, err := strconv.ParseUint(key.Namespace, 10, 16)
	if err != nil {
		panic("BUG: port of a resolved name: " + err.Error())
	}
	return external{key.Name, uint16(port)}
}
