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

	"github.com/sluice-gateway/sluice/routing"
)

// Every Pod of the gateway writes the same addresses, and there is no leader. Each waits for a
// random while first, and sees in its cache when another was faster; writing the same value twice
// changes nothing in the API server. What somebody else overwrites is written again, though not more
// often than statusAgain, so that two gateways with differing addresses do not fight at full speed.
const (
	statusDelay = 200 * time.Millisecond
	statusAgain = 10 * time.Second
	statusQPS   = 50
	statusBurst = 100
)

// statusWriter writes status.loadBalancer.ingress of the Ingresses that are live.
type statusWriter struct {
	// Immutable after newStatusWriter:
	cfg    *Config
	client kubernetes.Interface
	log    *slog.Logger
	limit  flowcontrol.RateLimiter
	wake   chan struct{}

	// Owned by the builder's goroutine:
	addresses []networkingv1.IngressLoadBalancerIngress

	mu sync.Mutex
	// Guarded by mu:

	// wanted holds what differs from what the API server has.
	wanted map[routing.ObjectName][]networkingv1.IngressLoadBalancerIngress
	// due is when an Ingress may be written next.
	due map[routing.ObjectName]time.Time
}

func newStatusWriter(cfg *Config, client kubernetes.Interface, log *slog.Logger) *statusWriter {
	return &statusWriter{
		cfg: cfg, client: client, log: log,
		limit:  flowcontrol.NewTokenBucketRateLimiter(statusQPS, statusBurst),
		wake:   make(chan struct{}, 1),
		wanted: make(map[routing.ObjectName][]networkingv1.IngressLoadBalancerIngress),
		due:    make(map[routing.ObjectName]time.Time),
	}
}

// note compares the statuses that a step may have changed. Called after the publish, on the
// builder's goroutine.
func (w *statusWriter) note(b *builder, pending map[objectKey]any) {
	addresses := w.current(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.EqualFunc(addresses, w.addresses, sameAddress) {
		w.addresses = addresses
		for name := range b.entries {
			w.compareLocked(b, name)
		}
	}
	for _, name := range b.compiled {
		w.compareLocked(b, name)
	}
	for key := range pending {
		if key.kind == kindIngress {
			w.compareLocked(b, key.ObjectName)
		}
	}
	if len(w.wanted) > 0 {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// compareLocked notes whether the status of one Ingress has to be written. An Ingress that is no
// longer ours keeps its status: it is its new controller's business.
func (w *statusWriter) compareLocked(b *builder, name routing.ObjectName) {
	ing := b.cache.ingresses[name]
	if ing == nil || b.entries[name] == nil {
		delete(w.wanted, name)
		delete(w.due, name)
		return
	}
	has := slices.Clone(ing.Status.LoadBalancer.Ingress)
	sortAddresses(has)
	// Without addresses of our own yet we know nothing better than what is there.
	if len(w.addresses) == 0 || slices.EqualFunc(has, w.addresses, sameAddress) {
		delete(w.wanted, name)
		return
	}
	if _, waiting := w.wanted[name]; !waiting {
		if first := time.Now().Add(rand.N(statusDelay)); w.due[name].Before(first) {
			w.due[name] = first
		}
	}
	w.wanted[name] = w.addresses
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

// run writes until ctx ends.
func (w *statusWriter) run(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		name, addresses, wait := w.next()
		if wait == 0 {
			if w.limit.Wait(ctx) != nil {
				return
			}
			w.write(ctx, name, addresses)
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-w.wake:
		}
	}
}

// next returns the Ingress that is due first and takes it, or how long there is nothing to do.
func (w *statusWriter) next() (name routing.ObjectName, addresses []networkingv1.IngressLoadBalancerIngress, wait time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	wait = time.Hour
	for candidate, list := range w.wanted {
		until := w.due[candidate].Sub(now)
		if until <= 0 {
			delete(w.wanted, candidate)
			w.due[candidate] = now.Add(statusAgain)
			return candidate, list, 0
		}
		wait = min(wait, until)
	}
	return routing.ObjectName{}, nil, wait
}

// write sets nothing but the addresses, with a patch: an update would carry the whole object, of
// which only a part is in memory.
func (w *statusWriter) write(ctx context.Context, name routing.ObjectName, addresses []networkingv1.IngressLoadBalancerIngress) {
	patch, err := json.Marshal(map[string]any{"status": map[string]any{"loadBalancer": map[string]any{"ingress": addresses}}})
	if err == nil {
		_, err = w.client.NetworkingV1().Ingresses(name.Namespace).
			Patch(ctx, name.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	}
	switch {
	case err == nil, apierrors.IsNotFound(err), ctx.Err() != nil:
	default:
		w.log.Warn("status not written; trying again", "ingress", name.String(), "error", fmt.Errorf("patch status: %w", err))
		w.mu.Lock()
		defer w.mu.Unlock()
		if _, newer := w.wanted[name]; !newer {
			w.wanted[name] = addresses
		}
	}
}
