package source

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	clientcache "k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster is the source that watches an API server; SecretWatches adds the Secrets. Its informers list and watch again by
// themselves when the server restarts, forgets a resourceVersion (410) or cannot be reached (see
// witness); until then the queue just stays empty.
type Cluster struct {
	// Immutable after NewCluster and OpenCluster:

	// Client is for lists, watches and Events.
	Client kubernetes.Interface
	// Statuses is the client for writing statuses. It has no limit, because their writer has one: the lists
	// and watches of Client must not wait behind thousands of writes.
	Statuses   kubernetes.Interface
	namespaces Namespaces
	log        *slog.Logger
	reach      *Reach
}

// NewCluster makes a source of what client reads, which also writes statuses.
func NewCluster(client kubernetes.Interface, namespaces Namespaces, log *slog.Logger, reach *Reach) *Cluster {
	return &Cluster{Client: client, Statuses: client, namespaces: namespaces, log: log, reach: reach}
}

// lastApplied holds a whole copy of the object, which the gateway never reads.
const lastApplied = corev1.LastAppliedConfigAnnotation

// OpenCluster makes a source of the cluster that a kubeconfig names, or, where it is "", of the one that the
// process runs in. It reaches nothing yet.
func OpenCluster(kubeconfig string, namespaces Namespaces, log *slog.Logger, reach *Reach) (*Cluster, error) {
	c := &Cluster{namespaces: namespaces, log: log, reach: reach}
	var config *rest.Config
	var err error
	if kubeconfig != "" {
		config, err = clientcmd.BuildConfigFromFlags("", kubeconfig)
	} else {
		config, err = rest.InClusterConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("read cluster configuration: %w", err)
	}
	config.UserAgent = "sluice"
	// Watches are few, and Events limit themselves. This limit is for the burst of both at a start.
	config.QPS, config.Burst = 100, 200
	// Protobuf costs the server and the gateway a fraction of what JSON does.
	config.ContentType = "application/vnd.kubernetes.protobuf"
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return &witness{next, c.reached} })
	if c.Client, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make cluster client: %w", err)
	}
	config.QPS = -1 // the writer of statuses has the limiter
	if c.Statuses, err = kubernetes.NewForConfig(config); err != nil {
		return nil, fmt.Errorf("make cluster client for statuses: %w", err)
	}
	return c, nil
}

// reached logs the loss and the return of the API server.
func (c *Cluster) reached(err error) {
	if !c.reach.note(err) {
		return
	}
	if err != nil {
		c.log.Error("API server not reachable; the last Snapshot stays", "error", err)
	} else {
		c.log.Info("API server reached")
	}
}

// Run watches until ctx ends, and waits for the informers to stop.
func (c *Cluster) Run(ctx context.Context, q *Queue) error {
	namespaces := c.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	var factories []informers.SharedInformerFactory
	var watched []watchedKind
	for i, namespace := range namespaces {
		f := informers.NewSharedInformerFactoryWithOptions(c.Client, 0,
			informers.WithNamespace(namespace), informers.WithTransform(trim))
		factories = append(factories, f)
		watched = append(watched,
			watchedKind{Ingress, f.Networking().V1().Ingresses().Informer()},
			watchedKind{Service, f.Core().V1().Services().Informer()},
			watchedKind{Slice, f.Discovery().V1().EndpointSlices().Informer()},
		)
		if i == 0 {
			watched = append(watched, watchedKind{Class, f.Networking().V1().IngressClasses().Informer()})
		}
	}
	synced := make([]clientcache.InformerSynced, len(watched))
	for i, w := range watched {
		registration, err := prepare(w.informer, c.watchFailed, handler{q.Push, w.kind})
		if err != nil {
			return err
		}
		// The registration's HasSynced, not the informer's: it is true once our handler has seen all.
		synced[i] = registration.HasSynced
	}
	var stopped sync.WaitGroup
	for _, f := range factories {
		f.StartWithContext(ctx)
		stopped.Go(func() { <-ctx.Done(); f.Shutdown() })
	}
	defer stopped.Wait()
	if clientcache.WaitForCacheSync(ctx.Done(), synced...) {
		q.Listed()
	}
	<-ctx.Done()
	return nil
}

type watchedKind struct {
	kind     Kind
	informer clientcache.SharedIndexInformer
}

// prepare sets up an informer that has not been started.
func prepare(informer clientcache.SharedIndexInformer, failed clientcache.WatchErrorHandlerWithContext, h handler) (clientcache.ResourceEventHandlerRegistration, error) {
	if err := informer.SetWatchErrorHandlerWithContext(failed); err != nil {
		return nil, fmt.Errorf("prepare informer: %w", err)
	}
	registration, err := informer.AddEventHandler(h)
	if err != nil {
		return nil, fmt.Errorf("prepare informer: %w", err)
	}
	return registration, nil
}

// watchFailed logs the failures of an informer. A 410, an end of the stream and the like are
// ordinary; the informer tries again.
func (c *Cluster) watchFailed(ctx context.Context, r *clientcache.Reflector, err error) {
	if ctx.Err() == nil {
		c.log.Debug("watch failed; trying again", "type", r.TypeDescription(), "error", err)
		c.reach.noteError(err)
	}
}

// handler puts the changes of one kind into the queue.
type handler struct {
	queue func(...Event)
	kind  Kind
}

func (h handler) OnAdd(object any, _ bool) { h.push(object, object) }

func (h handler) OnUpdate(_, object any) { h.push(object, object) }

func (h handler) OnDelete(object any) {
	if gone, ok := object.(clientcache.DeletedFinalStateUnknown); ok {
		object = gone.Obj
	}
	h.push(object, nil)
}

func (h handler) push(named, next any) {
	meta, ok := named.(metav1.Object)
	if !ok {
		return
	}
	h.queue(Event{Key{h.kind, types.NamespacedName{Namespace: meta.GetNamespace(), Name: meta.GetName()}}, next})
}

// SecretKeys are the keys that are read of the data of Secrets whose type says what else they are for. Of others all are:
// each may be the name of a user.
var SecretKeys = []string{corev1.TLSCertKey, corev1.TLSPrivateKeyKey, corev1.ServiceAccountRootCAKey, RevocationKey, UsersKey, KeySetKey}

// UsersKey is where ingress-nginx has a file of users.
const UsersKey = "auth"

// KeySetKey is where the keys are that tokens are verified with.
const KeySetKey = "jwks"

// forOthers are the types of Secrets that other programs read, and that are large or better not held.
var forOthers = []corev1.SecretType{
	corev1.SecretTypeTLS, corev1.SecretTypeServiceAccountToken, corev1.SecretTypeBootstrapToken,
	corev1.SecretTypeDockercfg, corev1.SecretTypeDockerConfigJson, corev1.SecretTypeSSHAuth, "helm.sh/release.v1",
}

// RevocationKey is where ingress-nginx has the list of revoked client certificates.
const RevocationKey = "ca.crl"

// trim drops the parts that are never read before an object enters the informers' memory.
func trim(object any) (any, error) {
	meta, ok := object.(metav1.Object)
	if !ok {
		return object, nil
	}
	meta.SetManagedFields(nil)
	if annotations := meta.GetAnnotations(); annotations[lastApplied] != "" {
		delete(annotations, lastApplied)
	}
	switch o := object.(type) {
	case *corev1.Service:
		// The addresses of a load balancer stay: they are published in statuses.
		o.Spec.Selector = nil
		o.Status.Conditions = nil
	case *networkingv1.Ingress, *networkingv1.IngressClass:
	case *discoveryv1.EndpointSlice:
		for i := range o.Endpoints {
			o.Endpoints[i].TargetRef = trimTarget(o.Endpoints[i].TargetRef)
		}
	case *corev1.Secret:
		o.Labels, o.Annotations = nil, nil
		if slices.Contains(forOthers, o.Type) {
			maps.DeleteFunc(o.Data, func(key string, _ []byte) bool { return !slices.Contains(SecretKeys, key) })
		}
	}
	return object, nil
}

// trimTarget keeps what tells the Pods of a Service apart.
func trimTarget(t *corev1.ObjectReference) *corev1.ObjectReference {
	switch {
	case t == nil:
		return nil
	case t.UID != "":
		return &corev1.ObjectReference{UID: t.UID}
	}
	return &corev1.ObjectReference{Kind: t.Kind, Namespace: t.Namespace, Name: t.Name}
}
