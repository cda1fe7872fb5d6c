package informer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

// TestDeletedClassEndsByItself: a class that was deleted in a cluster counts for classGrace and no longer,
// without any further event.
func TestDeletedClassEndsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTestController(t, Options{})
		c.cfg.Manifests = ""
		c.builder.cfg.Manifests = ""
		done := make(chan error, 1)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- c.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		class := &networkingv1.IngressClass{}
		class.Name, class.Spec.Controller = "edge", DefaultController
		class.Annotations = map[string]string{networkingv1.AnnotationIsDefaultIngressClass: "true"}
		key := keyOf(source.Class, routing.ObjectName{Name: "edge"})
		c.queue.Push(append(fleet(1), source.Event{Key: key, Object: class})...)
		c.queue.Listed()
		synctest.Wait()
		served := c.store.Load().Table.Routes()
		if served == 0 {
			t.Fatal("nothing is served")
		}
		c.queue.Push(source.Event{Key: key})
		time.Sleep(classGrace - time.Second)
		synctest.Wait()
		if n := c.store.Load().Table.Routes(); n != served {
			t.Errorf("before the time is over: %d Routes, want %d", n, served)
		}
		c.queue.Push(source.Event{Key: key, Object: class})
		time.Sleep(2 * classGrace)
		synctest.Wait()
		if s := c.store.Load(); s.Table.Routes() != served || s.Generation != 1 {
			t.Errorf("the class is there again: %d Routes, want %d; %d publishes", s.Table.Routes(), served, s.Generation)
		}
		c.queue.Push(source.Event{Key: key})
		time.Sleep(classGrace + time.Second)
		synctest.Wait()
		if n := c.store.Load().Table.Routes(); n != 0 {
			t.Errorf("after the time: %d Routes", n)
		}
	})
}
