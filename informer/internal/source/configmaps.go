package source

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	clientcache "k8s.io/client-go/tools/cache"
)

// ConfigMapWatches reads the ConfigMaps that are named: by the configuration, by the ConfigMap that the configuration names,
// and by annotations. Each has a list and watch of metadata.name, which a Role with resourceNames allows: the others of its
// namespace are nobody's business here, and named ones are few. Owned by one goroutine; results come back as events.
type ConfigMapWatches struct {
	// Immutable after NewConfigMapWatches:
	cluster *Cluster
	queue   *Queue

	watches map[types.NamespacedName]*objectWatch
	running sync.WaitGroup
}

func NewConfigMapWatches(c *Cluster, q *Queue) *ConfigMapWatches {
	return &ConfigMapWatches{cluster: c, queue: q, watches: make(map[types.NamespacedName]*objectWatch)}
}

// Follow starts the missing watches and stops the unused ones. A watch that is stopped adds nothing to the queue after Follow
// has returned.
func (s *ConfigMapWatches) Follow(wanted map[types.NamespacedName]struct{}) {
	for name, w := range s.watches {
		if _, still := wanted[name]; !still {
			w.stop()
			delete(s.watches, name)
		}
	}
	for name := range wanted {
		if s.watches[name] != nil {
			continue
		}
		// Not Run's context: Follow(nil) ends the watch.
		ctx, cancel := context.WithCancel(context.Background())
		w := &objectWatch{
			kind: ConfigMap, report: Key{ConfigMaps, name},
			selector: fields.OneTermEqualSelector(metav1.ObjectNameField, name.Name), missingRight: missingConfigMapRight(name),
			informer: func(f informers.SharedInformerFactory) clientcache.SharedIndexInformer {
				return f.Core().V1().ConfigMaps().Informer()
			},
			cluster: s.cluster, queue: s.queue, cancel: cancel,
		}
		s.watches[name] = w
		s.running.Go(func() { w.run(ctx) })
	}
}

// Close stops all watches and waits for them.
func (s *ConfigMapWatches) Close() {
	s.Follow(nil)
	s.running.Wait()
}

// missingConfigMapRight names what cannot be read, and how the namespace's administrators grant the right to this one.
func missingConfigMapRight(name types.NamespacedName) string {
	return "the gateway may not list and watch ConfigMap " + name.String() + "; let it: kubectl -n " + name.Namespace +
		" create role sluice-configmap --verb=get,list,watch --resource=configmaps --resource-name=" + name.Name +
		"; kubectl -n " + name.Namespace + " create rolebinding sluice-configmap --role=sluice-configmap --serviceaccount=sluice-system:sluice"
}
