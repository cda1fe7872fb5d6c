package informer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	eventsv1 "k8s.io/api/events/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/sluice-gateway/sluice/routing"
)

// An Event's name is made from its content. So all Pods of the gateway write the same Event, the
// API server keeps the first, and a Rejection that comes and goes makes one Event an hour, which is
// how long the API server keeps them.
const (
	eventQPS   = 10
	eventBurst = 100
	// maxEvents bounds the queue, which all namespaces share fairly; an Event that does not fit is
	// dropped, and its Rejection is still among Controller.Rejections.
	maxEvents = 1000
	// maxNote is the API's limit of an Event's text.
	maxNote = 1024
)

// eventWriter writes an Event for each new Rejection of an API object.
type eventWriter struct {
	// Immutable after newEventWriter:
	client   kubernetes.Interface
	log      *slog.Logger
	limit    flowcontrol.RateLimiter
	instance string
	queue    *eventQueue
}

func newEventWriter(client kubernetes.Interface, log *slog.Logger) *eventWriter {
	instance, err := os.Hostname()
	if err != nil || instance == "" {
		instance = "sluice"
	}
	return &eventWriter{
		client: client, log: log, instance: instance,
		limit: flowcontrol.NewTokenBucketRateLimiter(eventQPS, eventBurst),
		queue: newEventQueue(maxEvents),
	}
}

// note queues Events for the new Rejections of a step, whose objects reference finds. Called on the builder's goroutine;
// never waits.
func (w *eventWriter) note(added []Rejection, reference func(Object) (corev1.ObjectReference, bool)) {
	dropped := 0
	for _, r := range added {
		regarding, ok := reference(r.Object)
		if !ok {
			continue
		}
		if w.queue.put(w.event(r, regarding)) {
			dropped++
		}
	}
	if dropped > 0 {
		w.log.Warn("too many Rejections for an Event each; the admin API and sluice check list all", "dropped", dropped)
	}
}

// reference names an object for an Event, with the UID by which kubectl describe finds it.
func (b *builder) reference(o Object) (corev1.ObjectReference, bool) {
	name := routing.ObjectName{Namespace: o.Namespace, Name: o.Name}
	ref := corev1.ObjectReference{Kind: o.Kind, Namespace: o.Namespace, Name: o.Name}
	switch o.Kind {
	case "Ingress":
		if ing := b.cache.ingresses[name]; ing != nil {
			ref.APIVersion, ref.UID = networkingv1.SchemeGroupVersion.String(), ing.UID
		}
	case "IngressClass":
		if class := b.classes.byName[o.Name]; class != nil {
			ref.APIVersion, ref.UID = networkingv1.SchemeGroupVersion.String(), class.UID
		}
	case "Service":
		if service := b.cache.services[name]; service != nil {
			ref.APIVersion, ref.UID = corev1.SchemeGroupVersion.String(), service.UID
		}
	case "ConfigMap":
		if m := b.configs.byName[name]; m != nil {
			ref.APIVersion, ref.UID = corev1.SchemeGroupVersion.String(), m.UID
		}
	case "EndpointSlice":
		if slice := b.backends.slices.byName[name]; slice != nil {
			ref.APIVersion, ref.UID = discoveryv1.SchemeGroupVersion.String(), slice.UID
		}
	}
	return ref, ref.APIVersion != ""
}

func (w *eventWriter) event(r Rejection, regarding corev1.ObjectReference) *eventsv1.Event {
	note := r.String()
	if len(note) > maxNote {
		note = strings.ToValidUTF8(note[:maxNote], "")
	}
	sum := sha256.Sum256([]byte(string(regarding.UID) + "\x00" + note))
	namespace := regarding.Namespace
	if namespace == "" {
		// The API expects the Events of objects without a namespace there.
		namespace = metav1.NamespaceDefault
	}
	return &eventsv1.Event{
		ObjectMeta:          metav1.ObjectMeta{Namespace: namespace, Name: "sluice." + hex.EncodeToString(sum[:12])},
		EventTime:           metav1.NewMicroTime(time.Now()),
		ReportingController: DefaultController,
		ReportingInstance:   w.instance,
		Action:              "Build",
		Reason:              "Rejected",
		Type:                corev1.EventTypeWarning,
		Regarding:           regarding,
		Note:                note,
	}
}

// run writes until ctx ends. An Event that cannot be written is dropped: Rejections are shown in
// other places too, and a cluster in trouble needs no more load.
func (w *eventWriter) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-w.queue.wake:
		}
		for !w.queue.empty() {
			// The wait comes before the choice: an Event that came meanwhile may be next.
			if w.limit.Wait(ctx) != nil {
				return
			}
			e := w.queue.take()
			_, err := w.client.EventsV1().Events(e.Namespace).Create(ctx, e, metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) && ctx.Err() == nil {
				w.log.Debug("Event not written", "object", e.Regarding.Name, "error", err)
			}
		}
	}
}
