package e2e

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// returnBound is how long after the API server's return a change may take: the informer looks for the
// server every two seconds at least.
const returnBound = 4 * time.Second

// The API server goes and comes back; requests do not notice, and what changes afterwards is applied.
func TestAPIServerRestart(t *testing.T) {
	s := newSpace(t)
	s.web("a", startPod(t, "a"))
	s.web("b", startPod(t, "b"))
	s.ingress("x", s.host("x")+" / Prefix a:80", s.host("b")+" / Prefix b:80")
	await(t, shared.gateway, s.host("b"), "/", "200 b")
	x, steady := expect(s.host("x"), "/", "200 a"), expect(s.host("b"), "/", "200 b")
	l := startLoad(calmConnections, calmPause, x, steady)
	defer l.stop(t, 0)
	// A second gateway is cut off before the restart and misses changes.
	behind := newBystander(t)

	for i, row := range []struct {
		name   string
		signal syscall.Signal
	}{{"SIGTERM", syscall.SIGTERM}, {"SIGKILL", syscall.SIGKILL}} {
		t.Run(row.name, func(t *testing.T) {
			s := s.of(t)
			missed := s.host(fmt.Sprintf("missed-%d", i))
			behind.cutOff(t, s)
			s.ingress(fmt.Sprintf("missed-%d", i), missed+" / Prefix a:80")
			await(t, shared.gateway, missed, "/", "200 a")
			s.deleteIngress(fmt.Sprintf("missed-%d", i))
			s.ingress(fmt.Sprintf("kept-%d", i), s.host(fmt.Sprintf("kept-%d", i))+" / Prefix b:80")

			if err := shared.cluster.stop(row.signal); err != nil {
				t.Fatal(err)
			}
			l.more(t, 1000) // without an API server
			readiness(t, shared.gateway, 200, "ok")
			if err := shared.cluster.start(); err != nil {
				t.Fatal(err)
			}
			behind.isExpired(t, s)
			behind.gate.open()

			begun := time.Now()
			to, backend := "200 b", "b"
			if i%2 == 1 {
				to, backend = "200 a", "a"
			}
			l.change(t, x, []string{to}, nil, func() {
				s.setRules("x", s.host("x")+" / Prefix "+backend+":80", s.host("b")+" / Prefix b:80")
			})
			took := time.Since(begun)
			t.Logf("a change after the restart was live within %s", round(took))
			if took > returnBound {
				// How long the same change takes on this machine at this time, there and back.
				begun := time.Now()
				for _, row := range [][2]string{{"200 a", "a"}, {"200 b", "b"}, {"200 a", "a"}}[i%2:][:2] {
					l.change(t, x, row[:1], nil, func() {
						s.setRules("x", s.host("x")+" / Prefix "+row[1]+":80", s.host("b")+" / Prefix b:80")
					})
				}
				usual := time.Since(begun) / 2
				t.Logf("without a restart it takes %s", round(usual))
				if took > returnBound+10*usual {
					t.Errorf("that is too long; want at most %s", returnBound)
				}
			}
			await(t, behind.gateway, s.host("x"), "/", to)
			await(t, behind.gateway, s.host(fmt.Sprintf("kept-%d", i)), "/", "200 b")
			await(t, behind.gateway, missed, "/", "404")
			t.Logf("the gateway that was cut off had caught up within %s", round(time.Since(begun)))
		})
	}
}

// bystander is a gateway whose way to the API server can be shut.
type bystander struct {
	*gateway
	gate *gate
	// version is the resource version at which it was cut off.
	version string
}

func newBystander(t *testing.T) *bystander {
	t.Helper()
	b := &bystander{gate: startGate(t)}
	kubeconfig := filepath.Join(shared.dir, "behind.kubeconfig")
	if err := b.gate.kubeconfig(kubeconfig); err != nil {
		t.Fatal(err)
	}
	b.gate.open()
	b.gateway = startGateway(t, gatewayOptions{name: "behind", port: 8380, kubeconfig: kubeconfig})
	return b
}

func (b *bystander) cutOff(t *testing.T, s *space) {
	t.Helper()
	list, err := s.api().NetworkingV1().Ingresses("").List(context.Background(), metav1.ListOptions{})
	s.must("list ingresses", err)
	b.version = list.ResourceVersion
	b.gate.shut()
}

// isExpired checks that the API server answers 410 to a watch that continues from where the
// bystander was cut off: the bystander is about to meet that.
func (b *bystander) isExpired(t *testing.T, s *space) {
	t.Helper()
	w, err := s.api().NetworkingV1().Ingresses("").Watch(context.Background(), metav1.ListOptions{ResourceVersion: b.version})
	if err == nil {
		defer w.Stop()
		select {
		case event := <-w.ResultChan():
			if event.Type == watch.Error {
				err = apierrors.FromObject(event.Object)
			}
		case <-time.After(time.Minute):
		}
	}
	if !apierrors.IsResourceExpired(err) && !apierrors.IsGone(err) {
		t.Errorf("watch from version %s: %v, want that it has expired", b.version, err)
	}
}
