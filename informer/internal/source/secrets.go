package source

import (
	"context"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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

	watches map[SecretsKey]*secretWatch
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
	return &SecretWatches{cluster: c, queue: q, watches: make(map[SecretsKey]*secretWatch)}
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
		w := &secretWatch{key: key, cluster: s.cluster, queue: s.queue, cancel: cancel}
		s.watches[key] = w
		s.running.Go(func() { w.run(ctx) })
	}
}

// Close stops all watches and waits for them.
func (s *SecretWatches) Close() {
	s.Follow(nil)
	s.running.Wait()
}

// secretWatch reads the Secrets that its key names.
type secretWatch struct {
	// Immutable:
	key     SecretsKey
	cluster *Cluster
	queue   *Queue
	cancel  context.CancelFunc

	mu sync.Mutex
	// Guarded by mu:
	stopped bool
	synced  bool
}

func (w *secretWatch) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.cancel()
}

func (w *secretWatch) push(events ...Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.queue.Push(events...)
	}
}

// run watches until ctx ends, and waits for the informer to stop.
func (w *secretWatch) run(ctx context.Context) {
	f := informers.NewSharedInformerFactoryWithOptions(w.cluster.Client, 0,
		informers.WithNamespace(w.key.Namespace), informers.WithTransform(trim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = w.key.selector().String()
		}))
	registration, err := prepare(f.Core().V1().Secrets().Informer(), w.failed, handler{w.push, Secret})
	if err != nil {
		panic("BUG: a new informer: " + err.Error())
	}
	f.StartWithContext(ctx)
	defer f.Shutdown()
	select {
	case <-ctx.Done():
		return
	case <-registration.HasSyncedChecker().Done():
	}
	w.mu.Lock()
	w.synced = true
	w.mu.Unlock()
	w.read("")
	<-ctx.Done()
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

// read reports that all Secrets have been pushed, or why they cannot be.
func (w *secretWatch) read(reason string) {
	w.push(Event{Key{Secrets, types.NamespacedName(w.key)}, reason})
}

// failed reports a missing right: no other sign would explain the missing certificate. Secrets read
// once stay, as with every other failure.
func (w *secretWatch) failed(ctx context.Context, r *clientcache.Reflector, err error) {
	w.cluster.watchFailed(ctx, r, err)
	w.mu.Lock()
	synced := w.synced
	w.mu.Unlock()
	if !synced && (apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)) {
		w.read(w.key.missingRight())
	}
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
