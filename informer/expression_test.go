package informer

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// TestExpressionsHoldNothingUp: Ingresses whose expressions are as hostile as they can be are refused in
// milliseconds, hold no memory, and an unrelated change beside a change of all of them costs as little as
// ever. (Ten of the first kind held a gigabyte, and the change back for a minute.)
func TestExpressionsHoldNothingUp(t *testing.T) {
	w := newWorld(Config{IngressClass: DefaultClass, Controllers: []string{DefaultController}, Manifests: "dir"})
	w.step(fleet(3)...)
	authority := testSecret(t, "ca", "a")
	authority.Data["ca.crt"] = testPEM(t, "ca.crt")
	w.step(event(source.Secret, routing.ObjectName{Namespace: authority.Namespace, Name: "ca"}, authority))
	hostile := []string{
		"CN=" + strings.Repeat("a{1000}", 3000),
		"CN=" + strings.Repeat("(?:.?){1000}", 300),
		"CN=" + strings.Repeat("(?:.?){1000}", 80),
		"CN=" + strings.Repeat(`\pL{500}`, 120),
		"CN=((a{10}){10}){10}",
	}
	const n = 50
	change := func(round int) (events []source.Event) {
		for i := range n {
			ing := &networkingv1.Ingress{}
			ing.Namespace, ing.Name = authority.Namespace, fmt.Sprint("hostile-", i)
			ing.Annotations = map[string]string{
				annotation.NginxPrefix + "auth-tls-secret":   "ca",
				annotation.NginxPrefix + "auth-tls-match-cn": hostile[i%len(hostile)] + fmt.Sprint(round),
			}
			ing.Spec.Rules = []networkingv1.IngressRule{{Host: fmt.Sprintf("hostile-%d.test", i)}}
			events = append(events, event(source.Ingress, routing.ObjectName{Namespace: ing.Namespace, Name: ing.Name}, ing))
		}
		return events
	}
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	cpu := func() time.Duration {
		var use syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
			t.Fatal(err)
		}
		return time.Duration(use.Utime.Nano() + use.Stime.Nano())
	}
	before, begun := live(), cpu()
	const rounds = 5
	for round := range rounds {
		// The unrelated change is in the same step.
		w.step(append(change(round), fleetSlice(1, fmt.Sprintf("10.9.9.%d", round+1)))...)
	}
	used, grown := cpu()-begun, int64(live())-int64(before)
	t.Logf("%v of CPU, %d KiB", used, grown>>10)
	if used > 5*time.Second {
		t.Errorf("%d changes took %v of CPU", n*rounds, used)
	}
	if grown > 16<<20 {
		t.Errorf("%d MiB are held", grown>>20)
	}
	refused := 0
	for _, r := range w.b.rejected.all() {
		if strings.HasSuffix(r.Field, "auth-tls-match-cn]") {
			refused++
		}
	}
	if refused != n {
		t.Errorf("%d of %d were refused", refused, n)
	}
	runtime.KeepAlive(w)
}
