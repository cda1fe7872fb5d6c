package informer

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// fedSource is a source that does nothing; the test writes to the queue.
type fedSource struct{ err error }

func (s fedSource) Run(ctx context.Context, _ *source.Queue) error {
	if s.err == nil {
		<-ctx.Done()
	}
	return s.err
}

func startController(t *testing.T) (c *Controller, q *source.Queue, stop func()) {
	t.Helper()
	c = newTestController(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, c.queue, func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func newTestController(t *testing.T, opts Options) *Controller {
	t.Helper()
	opts.Logger = slog.New(slog.DiscardHandler)
	c, err := New(Config{Manifests: t.TempDir()}, new(routing.Store), opts)
	if err != nil {
		t.Fatal(err)
	}
	c.feed = fedSource{}
	return c
}

func TestRunFailsWhenTheSourceCannotStart(t *testing.T) {
	c := newTestController(t, Options{})
	c.feed = fedSource{errors.New("no such cluster")}
	if err := c.Run(t.Context()); err == nil || err.Error() != "run source: no such cluster" {
		t.Errorf("Run: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	rows := []struct {
		cfg  Config
		want string
	}{
		{Config{Manifests: "x", PublishService: "a"}, `publish_service "a": want namespace/name`},
		{Config{Manifests: "x", PublishService: "a/b", StatusAddresses: []string{"10.0.0.1"}}, "publish_service and publish_status_address are both set: keep one"},
		{Config{Kubeconfig: "/nonexistent"}, "read cluster configuration: stat /nonexistent: no such file or directory"},
	}
	for _, row := range rows {
		if _, err := New(row.cfg, new(routing.Store), Options{}); err == nil || err.Error() != row.want {
			t.Errorf("%+v: %v, want %s", row.cfg, err, row.want)
		}
	}
}

// recordedResolver notes what is watched and lets the test answer.
type recordedResolver struct {
	watches map[string]func([]netip.AddrPort)
}

func (r *recordedResolver) Watch(_, name string, port uint16, fn func([]netip.AddrPort)) func() {
	r.watches[name] = fn
	return func() { delete(r.watches, name) }
}

// TestNamesAreResolvedWhileInUse: a watch starts with the first Backend of a name, its addresses are
// published, and it ends with the last Backend.
func TestNamesAreResolvedWhileInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &recordedResolver{make(map[string]func([]netip.AddrPort))}
		c := newTestController(t, Options{Resolver: r})
		events := fleet(1)
		service := events[1].Object.(*corev1.Service)
		service.Spec.Type, service.Spec.ExternalName = corev1.ServiceTypeExternalName, "api.example.com"
		c.queue.Push(events...)
		c.step()
		answer := r.watches["api.example.com"]
		if answer == nil {
			t.Fatal("the name is not watched")
		}
		answer([]netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80")})
		c.step()
		if got := c.store.Load().Backends[0].Endpoints; len(got) != 1 {
			t.Errorf("Endpoints %v", got)
		}
		c.queue.Push(source.Event{Key: events[0].Key})
		c.step()
		if len(r.watches) != 0 {
			t.Error("a name that nobody uses is still watched")
		}
		answer(nil) // too late, and harmless
		c.step()
	})
}

func TestHooks(t *testing.T) {
	var attached, published int
	c := newTestController(t, Options{
		Attach:    func(r *routing.Route) { attached++; r.Attachment = attached },
		OnPublish: func(*routing.Snapshot) { published++ },
	})
	c.queue.Push(fleet(2)...)
	c.step()
	if attached != 4 || published != 1 || c.store.Load().Generation != 1 {
		t.Errorf("%d Routes attached, %d publishes, generation %d", attached, published, c.store.Load().Generation)
	}
	c.queue.Push(fleetSlice(0, "10.0.0.9"))
	c.step()
	c.queue.Push(fleetSlice(0, "10.0.0.9"))
	c.step() // nothing new
	if attached != 4 || published != 2 {
		t.Errorf("after an Endpoint change: %d Routes attached, %d publishes", attached, published)
	}
}

// TestCertificatesExpireByThemselves: the Rejection comes when the time does, without any event.
func TestCertificatesExpireByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, q, stop := startController(t)
		defer stop()
		events := fleet(1)
		events[0].Object.(*networkingv1.Ingress).Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{"a.test"}, SecretName: "pair"}}
		secret := shortLived(t, 90*time.Minute)
		q.Push(append(events, event(source.Secret, routing.ObjectName{Namespace: "default", Name: "pair"}, secret))...)
		q.Listed()
		time.Sleep(89 * time.Minute)
		synctest.Wait()
		if list := c.Rejections(); len(list) > 0 {
			t.Errorf("before it expires: %v", list)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if list := c.Rejections(); len(list) != 1 || !strings.Contains(list[0].Reason, "the certificate expired at ") {
			t.Errorf("after it has expired: %v", list)
		}
		if n := c.store.Load().Generation; n != 1 {
			t.Errorf("%d Snapshots published", n)
		}
	})
}

// shortLived is a Secret with a certificate that expires in a while.
func shortLived(t *testing.T, left time.Duration) *corev1.Secret {
	t.Helper()
	pair, err := tls.X509KeyPair(testPEM(t, "a.crt"), testPEM(t, "a.key"))
	if err != nil {
		t.Fatal(err)
	}
	template := *pair.Leaf
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(left)
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, pair.Leaf.PublicKey, pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey:       pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		corev1.TLSPrivateKeyKey: testPEM(t, "a.key"),
	}}
}
