package informer

import (
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// kind is the kind of an objectKey.
type kind uint8

const (
	kindIngress kind = iota
	kindClass
	kindService
	kindSlice
	kindSecret
	// kindSecrets is the report of a watch of Secrets, named by its secretWatchKey; its object is a
	// string with the reason why they cannot be read, or "" once all have been.
	kindSecrets
	// kindFile is a manifest file; its object is the []Rejection of that file.
	kindFile
	// kindAddresses is a resolved name; its object is a []netip.AddrPort. It also names a Service as the
	// owner of Rejections of the addresses of its name.
	kindAddresses
	// kindNode is the machine; its object is a []netip.Addr of its own addresses.
	kindNode
	// kindHost names the owner of conflicts between objects; there are no events of it.
	kindHost
	// kindTLS names an Ingress as the owner of its Secrets' faults; there are no events of it.
	kindTLS
	// kindPorts names a Service as the owner of Rejections of its slices' ports; there are no events of it.
	kindPorts
	// kindServerName names the owner of conflicts between certificates; there are no events of it.
	kindServerName
)

// objectKey identifies what an event changes. Namespace is empty where there is none.
type objectKey struct {
	kind kind
	routing.ObjectName
}

// String names the object as Object does.
func (k objectKey) String() string {
	name := [...]string{"Ingress", "IngressClass", "Service", "EndpointSlice", "Secret", "Secrets", "File", "Name", "Node", "Host", "TLS", "Ports", "ServerName"}[k.kind]
	return Object{Kind: name, Namespace: k.Namespace, Name: k.Name}.String()
}

func fileKey(path string) objectKey {
	return objectKey{kindFile, routing.ObjectName{Name: path}}
}

// event is one change: object is the new state, nil when it is gone. Objects belong to the receiver
// for reading only.
type event struct {
	key    objectKey
	object any
}

// queue holds the changes that are not built yet, the latest of each object, so that it never holds
// more than there are objects. Safe for concurrent use; must not be copied.
type queue struct {
	// wake has one token while the queue is not empty and every source has synced.
	wake chan struct{}

	mu sync.Mutex
	// Guarded by mu:
	pending map[objectKey]any
	first   time.Time // when the oldest pending event came
	events  uint64
	// unsynced counts the sources whose first list is not complete.
	unsynced int
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), pending: make(map[objectKey]any), unsynced: 1}
}

// push adds events that must become visible together.
func (q *queue) push(events ...event) {
	if len(events) == 0 {
		return
	}
	q.mu.Lock()
	if len(q.pending) == 0 {
		q.first = time.Now()
	}
	for _, e := range events {
		q.pending[e.key] = e.object
	}
	q.events += uint64(len(events))
	ready := q.unsynced == 0
	q.mu.Unlock()
	if ready {
		q.signal()
	}
}

// sync notes that the source has delivered its first full list. It wakes the builder even when the
// list was empty, because an empty Snapshot is one too.
func (q *queue) sync() {
	q.mu.Lock()
	q.unsynced = 0
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take empties the queue. seen is when the oldest of the events came, zero when there is none.
func (q *queue) take() (pending map[objectKey]any, seen time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	pending, seen = q.pending, q.first
	q.pending, q.first = make(map[objectKey]any), time.Time{}
	return pending, seen
}

// count returns how many events came so far.
func (q *queue) count() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events
}
