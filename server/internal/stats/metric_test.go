package stats

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// TestEveryMetricIsSent: a row of the reference that no scrape sends would be a promise, and no other test shows that.
func TestEveryMetricIsSent(t *testing.T) {
	pair := certificateUntil("pair", &ecdsa.PublicKey{Curve: elliptic.P256()}, 1900000000)
	snapshot := &routing.Snapshot{
		Certificates:       []*routing.Certificate{pair},
		ServerNames:        (*routing.CertificateIndex)(nil).With(map[string][]*routing.Certificate{"shop.example": {pair}}),
		DefaultCertificate: pair,
	}
	r := NewRegistry(func() *routing.Snapshot { return snapshot }, func() TLS { return TLS{} }, roomy)
	r.Care = func() Care { return Care{} }
	l := startLoop()
	defer l.stop()
	r.AddFilter("waf", []string{"blocked"})
	s := r.NewShard(l.post, nil)
	series := r.Attach(routeOf("web", "shop.example", "/", 0))
	l.do(func() { s.Record(series, &Event{Method: 1, Status: 200}) })
	text := scrapeAll(t, r) + gather(t, VitalsCollector(func() Vitals {
		now := time.Unix(1, 0)
		return Vitals{Propagation: []uint64{0, 0}, PropagationBounds: []float64{1}, ReloadTime: now, LastPublish: now}
	}))
	runtime.KeepAlive(series) // a Series without a Route goes
	for _, m := range metrics {
		if !strings.Contains(text, "# TYPE "+m.Name+" ") {
			t.Errorf("%s is not sent", m.Name)
		}
	}
}

// TestSumHasEveryCounter: a field that add forgets would be 0 in every scrape.
func TestSumHasEveryCounter(t *testing.T) {
	var one, sum Counters
	var n uint64
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				fill(v.Field(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				fill(v.Index(i))
			}
		default:
			n++
			v.SetUint(n)
		}
	}
	fill(reflect.ValueOf(&one).Elem())
	sum.add(&one)
	if sum != one {
		t.Errorf("got %+v, want %+v", sum, one)
	}
}
