package informer

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/flowcontrol"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// Every Pod of the gateway writes the same addresses, and there is no leader. Each waits for a random while first,
// in an order of its own where there are many, and sees in its cache when another was faster; writing the same
// value twice changes nothing in the API server. A status that another program overwrites is written again, though
// not more often than statusAgain, so that two gateways with differing addresses do not fight at full speed.
//
// 10,000 statuses take 34 seconds at statusQPS, which is as much as one gateway may ask of an API
// server: by priority and fairness a ServiceAccount has its share of the server's hundreds of seats, of
// which statusWriters are few. One after another the 10,000 took five minutes, at 30 ms each on a busy server.
const (
	statusDelay   = 200 * time.Millisecond
	statusAgain   = 10 * time.Second
	statusQPS     = 300
	statusBurst   = 300
	statusWriters = 16
	// statusPatience bounds one write, so that a silent server holds no writer for good.
	statusPatience = 30 * time.Second
	// statusComplaint is how often a failure is logged.
	statusComplaint = 10 * time.Second
)

// statusWriter writes status.loadBalancer.ingress of the Ingresses that are live, and takes our addresses
// out of those that no longer are.
type statusWriter struct {
	// Immutable after newStatusWriter:
	cfg   *Config
	log   *slog.Logger
	limit flowcontrol.RateLimiter
	queue *statusQueue
	// patch sends a merge patch of an Ingress's status.
	patch func(ctx context.Context, name routing.ObjectName, text []byte) error

	// Owned by the builder's goroutine:
	addresses []networkingv1.IngressLoadBalancerIngress
	// known are the Ingresses that are ours, with the zero time, and those that were until a short while ago,
	// with the time until which our addresses are removed from them: a write of ours may still be under way,
	// but the next controller may also have the same addresses. After a restart the latter are not known.
	known map[routing.ObjectName]time.Time

	mu sync.Mutex
	// Guarded by mu:
	failed     int // since complained
	complained time.Time
}

func newStatusWriter(cfg *Config, client kubernetes.Interface, log *slog.Logger) *statusWriter {
	return &statusWriter{
		cfg: cfg, log: log,
		limit: flowcontrol.NewTokenBucketRateLimiter(statusQPS, statusBurst),
		queue: newStatusQueue(),
		known: make(map[routing.ObjectName]time.Time),
		patch: func(ctx context.Context, name routing.ObjectName, text []byte) error {
			_, err := client.NetworkingV1().Ingresses(name.Namespace).
				Patch(ctx, name.Name, types.MergePatchType, text, metav1.PatchOptions{}, "status")
			return err
		},
	}
}

// note compares the statuses that a step may have changed. Called after the publish, on the
// builder's goroutine.
func (w *statusWriter) note(b *builder, pending map[source.Key]any) {
	addresses := w.current(b)
	if !slices.EqualFunc(addresses, w.addresses, sameAddress) {
		// At a start, or where the gateway's own address changed, nothing that follows is urgent.
		w.addresses = addresses
		for name := range b.entries {
			w.compare(b, name, false)
		}
	} else {
		for _, name := range b.recompiled {
			w.compare(b, name, true)
		}
	}
	for key := range pending {
		if key.Kind == source.Ingress {
			w.compare(b, routing.ObjectName(key.NamespacedName), false)
		}
	}
}

// compare notes whether the status of one Ingress has to be written.
func (w *statusWriter) compare(b *builder, name routing.ObjectName, urgent bool) {
	ing := b.cache.ingresses[name]
	if ing == nil {
		delete(w.known, name)
		w.queue.forget(name)
		return
	}
	has := slices.Clone(ing.Status.LoadBalancer.Ingress)
	sortAddresses(has)
	published := len(w.addresses) > 0 && slices.EqualFunc(has, w.addresses, sameAddress)
	task := statusTask{name: name, urgent: urgent, due: time.Now().Add(rand.N(statusDelay))}
	if b.entries[name] == nil {
		w.compareLeft(name, ing.ResourceVersion, published, task)
		return
	}
	w.known[name] = time.Time{}
	// Without addresses of our own the present ones are the best known.
	if published || len(w.addresses) == 0 {
		w.queue.drop(name)
		return
	}
	task.addresses = w.addresses
	w.queue.put(task)
}

// compareLeft is compare for an Ingress that is not ours. published is true where the status has our addresses.
func (w *statusWriter) compareLeft(name routing.ObjectName, version string, published bool, task statusTask) {
	until, was := w.known[name]
	if was && until.IsZero() {
		until = time.Now().Add(statusPatience)
		w.known[name] = until
	}
	if !was || time.Now().After(until) {
		delete(w.known, name)
		w.queue.forget(name)
		return
	}
	if !published {
		w.queue.drop(name)
		return
	}
	task.version = version
	w.queue.put(task)
}

// current returns the addresses to publish, sorted.
func (w *statusWriter) current(b *builder) (list []networkingv1.IngressLoadBalancerIngress) {
	if w.cfg.PublishService == "" {
		for _, a := range w.cfg.StatusAddresses {
			list = append(list, loadBalancerAddress(a))
		}
		sortAddresses(list)
		return list
	}
	namespace, name, _ := strings.Cut(w.cfg.PublishService, "/")
	service := b.cache.services[routing.ObjectName{Namespace: namespace, Name: name}]
	if service == nil {
		return nil
	}
	for _, a := range service.Status.LoadBalancer.Ingress {
		list = append(list, networkingv1.IngressLoadBalancerIngress{IP: a.IP, Hostname: a.Hostname})
	}
	for _, a := range service.Spec.ExternalIPs {
		list = append(list, loadBalancerAddress(a))
	}
	if len(list) == 0 && service.Spec.Type != corev1.ServiceTypeLoadBalancer {
		for _, a := range service.Spec.ClusterIPs {
			if a != corev1.ClusterIPNone {
				list = append(list, loadBalancerAddress(a))
			}
		}
	}
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		list = append(list[:0], loadBalancerAddress(service.Spec.ExternalName))
	}
	sortAddresses(list)
	return slices.CompactFunc(list, sameAddress)
}

func loadBalancerAddress(s string) networkingv1.IngressLoadBalancerIngress {
	if _, err := netip.ParseAddr(s); err == nil {
		return networkingv1.IngressLoadBalancerIngress{IP: s}
	}
	return networkingv1.IngressLoadBalancerIngress{Hostname: s}
}

func sortAddresses(list []networkingv1.IngressLoadBalancerIngress) {
	slices.SortFunc(list, func(a, b networkingv1.IngressLoadBalancerIngress) int {
		return cmp.Or(strings.Compare(a.IP, b.IP), strings.Compare(a.Hostname, b.Hostname))
	})
}

func sameAddress(a, b networkingv1.IngressLoadBalancerIngress) bool {
	return a.IP == b.IP && a.Hostname == b.Hostname
}

// run writes until ctx ends. The next task is chosen last, when there is a writer for it and the rate allows it.
func (w *statusWriter) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var writing sync.WaitGroup
	defer writing.Wait()
	writers := make(chan struct{}, statusWriters)
	for {
		if wait := w.queue.pending(time.Now()); wait > 0 {
			timer.Reset(wait)
			select {
			case <-ctx.Done():
				return
			case <-timer.C:
			case <-w.queue.wake:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case writers <- struct{}{}:
		}
		if w.limit.Wait(ctx) != nil {
			return
		}
		task, _ := w.queue.take(time.Now())
		if task == nil {
			// Another gateway wrote the status meanwhile.
			<-writers
			continue
		}
		writing.Go(func() {
			defer func() { <-writers }()
			w.write(ctx, task)
		})
	}
}

// write sets nothing but the addresses, with a patch: an update would carry the whole object, of
// which only a part is in memory.
func (w *statusWriter) write(ctx context.Context, task *statusTask) {
	patch := map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": task.addresses}}}
	if task.version != "" {
		// The API server refuses the patch where the object has changed; an event of that follows.
		patch["metadata"] = map[string]any{"resourceVersion": task.version}
	}
	text, err := json.Marshal(patch)
	if err == nil {
		patience, cancel := context.WithTimeout(ctx, statusPatience)
		defer cancel()
		err = w.patch(patience, task.name, text)
	}
	switch {
	case err == nil, apierrors.IsNotFound(err), ctx.Err() != nil:
	case task.version != "" && apierrors.IsConflict(err):
	default:
		w.complain(task.name, err)
		w.queue.retry(task)
	}
}

// complain logs a failure, and of many that come together the first, with their number the next time.
func (w *statusWriter) complain(name routing.ObjectName, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.failed++
	if now := time.Now(); now.Sub(w.complained) >= statusComplaint {
		w.log.Warn("status not written; trying again", "ingress", name.String(), "failures", w.failed, "error", fmt.Errorf("patch status: %w", err))
		w.failed, w.complained = 0, now
	}
}
