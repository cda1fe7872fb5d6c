package source

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	clientcache "k8s.io/client-go/tools/cache"
)

// SecretWatches reads the Secrets that served Ingresses refer to: one list and watch of
// type=kubernetes.io/tls in each namespace whose tls sections have such a reference, from the first to
// the last of them; one of metadata.name for each Secret that an annotation or the configuration names,
// or of all of a namespace, where they are many; and one of metadata.name for each Secret of a namespace
// in which the gateway may not list the type: a Role with resourceNames allows just that. The receiver
// decides which (see Follow). Owned by one goroutine; results come back as events.
//
// One watch for each Secret would see only what it must, and suit a Role with resourceNames. But it
// does not scale to 10,000 Secrets: an informer is several goroutines and a stream of a connection,
// here and in the API server, and that many lists at a start take minutes at any polite rate. One
// watch of the whole cluster would be cheap, and would need every Secret of it. A watch of the
// namespace is between: the type keeps tokens and passwords in the API server, the right can be
// given namespace by namespace, and the number of watches is that of the namespaces. The right to
// write an Ingress is the right to use any Secret of the namespace by naming it anyway.
type SecretWatches struct {
	// Immutable after NewSecretWatches:
	cluster *Cluster
	queue   *Queue

	watches map[SecretsKey]*objectWatch
	running sync.WaitGroup
}

// SecretsKey names a watch: of one Secret; of all that are certificates, where Name is
// CertificateSecrets; or of all, where it is AllSecrets. A Secret can have neither name.
type SecretsKey types.NamespacedName

const (
	CertificateSecrets = ""
	AllSecrets         = "*"
)

func NewSecretWatches(c *Cluster, q *Queue) *SecretWatches {
	return &SecretWatches{cluster: c, queue: q, watches: make(map[SecretsKey]*objectWatch)}
}

// Follow starts the missing watches and stops the unused ones. A watch that is stopped adds nothing
// to the queue after Follow has returned.
func (s *SecretWatches) Follow(wanted map[SecretsKey]struct{}) {
	for key, w := range s.watches {
		if _, still := wanted[key]; !still {
			w.stop()
			delete(s.watches, key)
		}
	}
	for key := range wanted {
		if s.watches[key] != nil {
			continue
		}
		// Not Run's context: Follow(nil) ends the watch.
		ctx, cancel := context.WithCancel(context.Background())
		w := &objectWatch{
			kind: Secret, report: Key{Secrets, types.NamespacedName(key)}, selector: key.selector(), missingRight: key.missingRight(),
			informer: func(f informers.SharedInformerFactory) clientcache.SharedIndexInformer {
				return f.Core().V1().Secrets().Informer()
			},
			cluster: s.cluster, queue: s.queue, cancel: cancel,
		}
		s.watches[key] = w
		s.running.Go(func() { w.run(ctx) })
	}
}

// Close stops all watches and waits for them.
func (s *SecretWatches) Close() {
	s.Follow(nil)
	s.running.Wait()
}

// selector restricts the watch to the Secrets of its key.
func (k SecretsKey) selector() fields.Selector {
	switch k.Name {
	case CertificateSecrets:
		return fields.OneTermEqualSelector("type", string(corev1.SecretTypeTLS))
	case AllSecrets:
		return fields.Everything()
	}
	return fields.OneTermEqualSelector(metav1.ObjectNameField, k.Name)
}

// missingRight names what cannot be read, and the right that the namespace's administrators can grant.
func (k SecretsKey) missingRight() string {
	what := "the Secrets of namespace " + k.Namespace
	if k.Name != CertificateSecrets && k.Name != AllSecrets {
		what = "Secret " + k.Namespace + "/" + k.Name
	}
	return "the gateway may not list and watch " + what + "; let it: kubectl -n " + k.Namespace +
		" create rolebinding sluice-secrets --clusterrole=sluice-secrets --serviceaccount=sluice-system:sluice"
}
