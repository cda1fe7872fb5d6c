package informer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math"
	"math/big"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/secret"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// TestSecretsOfAnnotationsAreWatchedByName: they may be of any type, and nothing else of their namespace
// is read.
func TestSecretsOfAnnotationsAreWatchedByName(t *testing.T) {
	objects := fleetObjects(2)
	objects[0].(*networkingv1.Ingress).Annotations[annotation.OwnPrefix+"auth-tls-secret"] = "ca"
	ca := &corev1.Secret{Type: corev1.SecretTypeOpaque}
	ca.Namespace, ca.Name = "default", "ca"
	ca.Data = map[string][]byte{secret.AuthoritiesKey: testPEM(t, "ca.crt")}
	fallback := testSecret(t, "fallback", "a")
	fallback.Namespace = "gateway"
	client := fake.NewClientset(append(objects, ca, fallback, testSecret(t, "other", "a"))...)
	asked := make(chan string, 100)
	client.PrependReactor("list", "secrets", func(a clienttesting.Action) (bool, runtime.Object, error) {
		asked <- a.GetNamespace() + " " + a.(clienttesting.ListAction).GetListRestrictions().Fields.String()
		return false, nil, nil
	})
	begun := time.Now()
	_, published := clusterController(t, Config{DefaultCertificate: "gateway/fallback"}, client)
	await(t, "the first list", published, func(s *routing.Snapshot) bool {
		read := s.DefaultCertificate != nil && s.ClientAuthFor(fleetHost(0)) != nil
		if s.Generation == 1 && !read && time.Since(begun) < secretsPatience {
			t.Error("the first Snapshot was published before the Secrets were read")
		}
		return s.Table.Routes() == 4 && read
	})
	got := []string{<-asked, <-asked}
	slices.Sort(got)
	if want := "default metadata.name=ca, gateway metadata.name=fallback"; strings.Join(got, ", ") != want || len(asked) > 0 {
		t.Errorf("asked for %v and %d more", got, len(asked))
	}

	changed := ca.DeepCopy()
	changed.Data[secret.AuthoritiesKey] = []byte("x")
	if err := client.Tracker().Update(secretsResource, changed, "default"); err != nil {
		t.Fatal(err)
	}
	await(t, "broken authorities", published, func(s *routing.Snapshot) bool {
		return s.ClientAuthFor(fleetHost(0)) == nil && s.Table.Match([]byte(fleetHost(0)), []byte("/")).Backend < 0
	})
}

// TestWatchKeys: each Watch has a key of its own, and the report that comes under the key is that of the Watch.
func TestWatchKeys(t *testing.T) {
	for _, w := range []secret.Watch{
		{Namespace: "a", Scope: secret.Certificates},
		{Namespace: "a", Scope: secret.All},
		{Namespace: "a", Name: "b"},
	} {
		if got := watchOf(watchKey(w)); got != w {
			t.Errorf("%+v becomes %+v", w, got)
		}
	}
}

// TestSourcesKeepWhatIsRead: what a Set reads of a Secret is not dropped on the way.
func TestSourcesKeepWhatIsRead(t *testing.T) {
	for _, key := range secret.Keys {
		if !slices.Contains(source.SecretKeys, key) {
			t.Errorf("sources drop %s", key)
		}
	}
}

// manySecrets is n Ingresses with a host and a Secret each, all of the same pair.
func manySecrets(t testing.TB, n int) (events []source.Event) {
	t.Helper()
	chain, key := anyPair(t)
	for i := range n {
		name := fleetName(i)
		ing := &networkingv1.Ingress{}
		ing.Namespace, ing.Name = name.Namespace, name.Name
		ing.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{fleetHost(i)}, SecretName: name.Name}}
		secret := &corev1.Secret{Type: corev1.SecretTypeTLS}
		secret.Namespace, secret.Name = name.Namespace, name.Name
		secret.Data = map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key}
		events = append(events, event(source.Ingress, name, ing), event(source.Secret, name, secret))
	}
	return events
}

// anyPair is good for every host of the fleet.
func anyPair(t testing.TB) (chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"*.test"},
		NotBefore: time.Unix(1600000000, 0), NotAfter: time.Unix(4000000000, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// TestManySecrets: a renewed Secret costs a small part of what all of them cost, and that grows with their number.
// Both are compared with what the same machine does, and the bars are an order of magnitude above what
// BenchmarkSecrets finds.
func TestManySecrets(t *testing.T) {
	const few, many = 1_000, 10_000
	fewTook, _ := secretsCost(t, few, 0)
	bar := 10 * many / few * fewTook
	manyTook, renewed := secretsCost(t, many, bar)
	t.Logf("%d Secrets in %v, %d in %v, one more in %v", few, fewTook, many, manyTook, renewed)
	if manyTook > bar {
		t.Errorf("%d Secrets took %v, %d took %v", few, fewTook, many, manyTook)
	}
	if renewed > 100*fewTook/few {
		t.Errorf("%d Secrets took %v, one renewed of %d %v", few, fewTook, many, renewed)
	}
}

// secretsCost is how long it takes to build with n Secrets, of which enough is enough, and then with one of them
// renewed.
func secretsCost(t *testing.T, n int, enough time.Duration) (all, one time.Duration) {
	t.Helper()
	events := manySecrets(t, n)
	var w *world
	all = best(enough, func() {
		w = newWorld(Config{Manifests: "dir", Controllers: []string{DefaultController}})
		w.step(events...)
	})
	if names := w.snapshot.ServerNames.Names(); names != n || len(w.snapshot.Certificates) != n {
		t.Fatalf("%d names, %d Certificates", names, len(w.snapshot.Certificates))
	}
	was := events[2*(n/2)+1].Object.(*corev1.Secret)
	renewed := was.DeepCopy()
	renewed.Data[corev1.TLSCertKey] = append(slices.Clip(renewed.Data[corev1.TLSCertKey]), '\n')
	var before *routing.Snapshot
	next := []*corev1.Secret{renewed, was}
	one = best(0, func() {
		before = w.snapshot
		w.b.apply(keyOf(source.Secret, fleetName(n/2)), next[0])
		w.snapshot = w.b.build()
		slices.Reverse(next)
	})
	if w.snapshot.Table != before.Table {
		t.Error("a Secret made a new Table")
	}
	changed := 0
	for i, c := range w.snapshot.Certificates {
		if c != before.Certificates[i] {
			changed++
		}
	}
	if changed != 1 {
		t.Errorf("%d Certificates were made anew", changed)
	}
	return all, one
}

// best is the shortest time that f took, of five times or until it took no longer than enough: what others do on
// the machine only adds to it.
func best(enough time.Duration, f func()) time.Duration {
	shortest := time.Duration(math.MaxInt64)
	for range 5 {
		begun := cpuTime()
		f()
		if shortest = min(shortest, cpuTime()-begun); shortest <= enough {
			break
		}
	}
	return shortest
}

// cpuTime is the process's CPU time: on a busy machine wall-clock time proves nothing.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestSecretsAreParsedInPortions: what a step's budget leaves over is done by later ones, and nothing is
// rejected meanwhile.
func TestSecretsAreParsedInPortions(t *testing.T) {
	w := newWorld(Config{Manifests: "dir", Controllers: []string{DefaultController}})
	w.b.parseBudget = time.Nanosecond
	w.step(manySecrets(t, 50)...)
	steps := 1
	for ; w.b.secrets.Behind(); steps++ {
		if list := w.b.rejected.all(); len(list) > 0 {
			t.Fatalf("rejected %v", list)
		}
		w.step()
	}
	if n := len(w.snapshot.Certificates); n != 50 || steps < 2 {
		t.Errorf("%d Certificates after %d steps", n, steps)
	}
}

func BenchmarkSecrets(b *testing.B) {
	const n = 10_000
	events := manySecrets(b, n)
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			newWorld(Config{Manifests: "dir", Controllers: []string{DefaultController}}).step(events...)
		}
	})
	b.Run("one", func(b *testing.B) {
		w := newWorld(Config{Manifests: "dir", Controllers: []string{DefaultController}})
		w.step(events...)
		was := events[2*(n/2)+1].Object.(*corev1.Secret)
		renewed := was.DeepCopy()
		renewed.Data[corev1.TLSCertKey] = append(slices.Clip(renewed.Data[corev1.TLSCertKey]), '\n')
		key := keyOf(source.Secret, fleetName(n/2))
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			w.b.apply(key, []*corev1.Secret{renewed, was}[i%2])
			if w.b.build() == nil {
				b.Fatal("nothing changed")
			}
		}
	})
}
