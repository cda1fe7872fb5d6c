package informer

import (
	"iter"
	"maps"

	"github.com/sluice-gateway/sluice/routing"
)

// userIndex holds, by object, the Ingresses that refer to it.
type userIndex map[routing.ObjectName]map[routing.ObjectName]struct{}

// replace replaces the references of an Ingress.
func (x userIndex) replace(ingress routing.ObjectName, old, next map[routing.ObjectName]struct{}) {
	for object := range next {
		if x[object] == nil {
			x[object] = make(map[routing.ObjectName]struct{})
		}
		x[object][ingress] = struct{}{}
	}
	for object := range old {
		if _, still := next[object]; still {
			continue
		}
		if delete(x[object], ingress); len(x[object]) == 0 {
			delete(x, object)
		}
	}
}

// of yields the Ingresses that refer to an object.
func (x userIndex) of(object routing.ObjectName) iter.Seq[routing.ObjectName] {
	return maps.Keys(x[object])
}
