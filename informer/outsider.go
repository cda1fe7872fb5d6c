package informer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/plain"
	"github.com/sluice-gateway/sluice/routing"
)

// outsiderSet holds the Ingresses of other controllers, by their classes and hosts: the explanation for a
// user whose Ingress is not served. Safe for concurrent use.
type outsiderSet struct {
	mu sync.Mutex
	// Guarded by mu:
	byName map[routing.ObjectName]outsider
	byHost map[string]map[routing.ObjectName]struct{}
}

// outsider is the part that is kept of an Ingress of another controller. Immutable.
type outsider struct {
	class string
	hosts []string
}

// ClassCount counts the Ingresses of a class that is not ours. A plain value.
type ClassCount struct {
	// Class is "" for Ingresses that name none while no class of ours is the default.
	Class     string `json:"class"`
	Ingresses int    `json:"ingresses"`
}

// replace notes an Ingress, or forgets it where ing is nil.
func (s *outsiderSet) replace(name routing.ObjectName, ing *networkingv1.Ingress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.byName[name]
	if !known && ing == nil {
		return
	}
	for _, host := range old.hosts {
		if delete(s.byHost[host], name); len(s.byHost[host]) == 0 {
			delete(s.byHost, host)
		}
	}
	if delete(s.byName, name); ing == nil {
		return
	}
	if s.byName == nil {
		s.byName = make(map[routing.ObjectName]outsider)
		s.byHost = make(map[string]map[routing.ObjectName]struct{})
	}
	next := outsider{class: cmp.Or(ing.Annotations[annotation.LegacyClass], stringOr(ing.Spec.IngressClassName))}
	for i := range ing.Spec.Rules {
		// A rule without a host is for all hosts, and explains none.
		if host, ok := hostName(ing.Spec.Rules[i].Host); ok && host != "" && !slices.Contains(next.hosts, host) {
			next.hosts = append(next.hosts, host)
			if s.byHost[host] == nil {
				s.byHost[host] = make(map[routing.ObjectName]struct{})
			}
			s.byHost[host][name] = struct{}{}
		}
	}
	s.byName[name] = next
}

// classes counts the Ingresses of each class, the most frequent first.
func (s *outsiderSet) classes() []ClassCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int)
	for _, f := range s.byName {
		counts[f.class]++
	}
	list := make([]ClassCount, 0, len(counts))
	for class, n := range counts {
		list = append(list, ClassCount{plain.Short(class), n})
	}
	slices.SortFunc(list, func(a, b ClassCount) int {
		return cmp.Or(cmp.Compare(b.Ingresses, a.Ingresses), strings.Compare(a.Class, b.Class))
	})
	return list
}

// maxOutsiders bounds the objects that elsewhere names.
const maxOutsiders = 5

// elsewhere names the Ingresses of other controllers that have a host, or a wildcard that covers it.
func (s *outsiderSet) elsewhere(host string) (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{host}
	if _, parent, ok := strings.Cut(host, "."); ok {
		names = append(names, "*."+parent)
	}
	more := 0
	for _, name := range names {
		ingresses := make([]routing.ObjectName, 0, len(s.byHost[name]))
		for ingress := range s.byHost[name] {
			ingresses = append(ingresses, ingress)
		}
		slices.SortFunc(ingresses, routing.ObjectName.Compare)
		for _, ingress := range ingresses {
			if len(list) == maxOutsiders {
				more++
				continue
			}
			whose := "names no class, and none of ours is the default"
			if class := s.byName[ingress].class; class != "" {
				whose = "is of class " + plain.Short(class) + ", which is not this gateway's"
			}
			list = append(list, fmt.Sprintf("Ingress %s has %s too; it %s", ingress, name, whose))
		}
	}
	if more > 0 {
		list = append(list, fmt.Sprintf("and %d more Ingresses", more))
	}
	return list
}
