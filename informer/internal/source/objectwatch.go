package source

import (
	"context"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	clientcache "k8s.io/client-go/tools/cache"
)

// objectWatch reads objects of one kind and namespace that are needed only for now: those that its selector is about. Once
// all are in the queue, or cannot be read, its report is too.
type objectWatch struct {
	// Immutable:
	kind Kind
	// report is the Key of an event whose object is a string: "" once everything has been pushed, or why it cannot be read.
	report       Key
	selector     fields.Selector
	missingRight string
	informer     func(informers.SharedInformerFactory) clientcache.SharedIndexInformer
	cluster      *Cluster
	queue        *Queue
	cancel       context.CancelFunc

	mu sync.Mutex
	// Guarded by mu:
	stopped bool
	synced  bool
}

func (w *objectWatch) stop() {
	w.mu.Lock()
	w.stopped = true
	w.mu.Unlock()
	w.cancel()
}

func (w *objectWatch) push(events ...Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.stopped {
		w.queue.Push(events...)
	}
}

// run watches until ctx ends, and waits for the informer to stop.
func (w *objectWatch) run(ctx context.Context) {
	f := informers.NewSharedInformerFactoryWithOptions(w.cluster.Client, 0,
		informers.WithNamespace(w.report.Namespace), informers.WithTransform(trim),
		informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.FieldSelector = w.selector.String()
		}))
	registration, err := prepare(w.informer(f), w.failed, handler{w.push, w.kind})
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

// read reports that everything has been pushed, or why it cannot be.
func (w *objectWatch) read(reason string) { w.push(Event{w.report, reason}) }

// failed reports a missing right: no other sign would explain what is missing. Objects read once stay, as with every other
// failure.
func (w *objectWatch) failed(ctx context.Context, r *clientcache.Reflector, err error) {
	w.cluster.watchFailed(ctx, r, err)
	w.mu.Lock()
	synced := w.synced
	w.mu.Unlock()
	if !synced && (apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err)) {
		w.read(w.missingRight)
	}
}
