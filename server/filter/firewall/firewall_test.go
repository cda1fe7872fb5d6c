package firewall

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"golang.org/x/time/rate"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

func asking(target string, fields ...string) *question {
	q := &question{method: "GET", target: target, protocol: "HTTP/1.1", host: "shop.example", client: netip.MustParseAddr("192.0.2.7"), id: "id-1", object: "shop/web"}
	q.path, _, _ = strings.Cut(target, "?")
	q.fields = [][2]string{{"Host", "shop.example"}, {"User-Agent", "test"}, {"Accept", "*/*"}}
	for i := 0; i < len(fields); i += 2 {
		q.fields = append(q.fields, [2]string{fields[i], fields[i+1]})
	}
	return q
}

func blocking() *policy.Firewall {
	return &policy.Firewall{Block: true, CoreRules: true, Paranoia: 1, Threshold: 5, BodyBytes: 1024}
}

const injection = "/item?id=1%27%20OR%20%271%27=%271&token=s3cr3t"

// TestShared: Policies share one rule set, and what one of them asks for holds for none of the others, at the same time.
func TestShared(t *testing.T) {
	first, err := New(blocking(), server.Env{})
	if err != nil {
		t.Fatal(err)
	}
	lax := blocking()
	lax.Exclude = []policy.RuleRange{{First: 942000, Last: 942999}}
	second, err := New(lax, server.Env{})
	if err != nil {
		t.Fatal(err)
	}
	if first.(*Firewall).rules != second.(*Firewall).rules || first.(*Firewall).rules.waf == nil {
		t.Error("the rules are compiled twice")
	}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 10 {
				f, err := coreRules.look(blocking(), asking(injection))
				if err != nil || !f.attack || f.status != 403 || len(f.rules) == 0 || f.rules[0]/1000 != 942 || f.why == "" {
					t.Errorf("got %+v, %v", f, err)
				}
				if f, err := coreRules.look(lax, asking(injection)); err != nil || f.attack {
					t.Errorf("without the rules: got %+v, %v", f, err)
				}
			}
		})
	}
	group.Wait()
}

// TestNotCompiled: rules that cannot be compiled close the Routes, and each of their Policies is told.
func TestNotCompiled(t *testing.T) {
	r := &ruleSet{directives: "SecRule nonsense"}
	for range 2 {
		if _, err := r.compiled(); err == nil {
			t.Error("nonsense is compiled")
		}
		if _, err := r.look(blocking(), asking("/")); err == nil {
			t.Error("nothing was looked at, and nobody is told")
		}
	}
}

// TestAuditLine: it names the object, the client, the rules and the request, and holds nothing of its query, fields and body.
func TestAuditLine(t *testing.T) {
	var log bytes.Buffer
	w := &Firewall{p: blocking(), rules: coreRules, log: slog.New(slog.NewTextHandler(&log, nil))}
	q := asking(injection, "Authorization", "Bearer s3cr3t", "Cookie", "session=s3cr3t")
	q.path += "\nlevel=ERROR forged"
	f, err := coreRules.look(w.p, q)
	if err != nil {
		t.Fatal(err)
	}
	w.carryOut(q, &f)
	line := log.String()
	for _, want := range []string{"firewall blocked a request", "ingress=shop/web", "client=192.0.2.7", "method=GET", "host=shop.example", "request_id=id-1", "9421"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %q in %s", want, line)
		}
	}
	if strings.Contains(line, "s3cr3t") || strings.Count(line, "\n") != 1 {
		t.Errorf("the line is %s", line)
	}
	log.Reset()
	w.p = &policy.Firewall{}
	w.carryOut(q, &f)
	if !strings.Contains(log.String(), "firewall detected an attack") {
		t.Errorf("the line is %s", log.String())
	}
	log.Reset()
	w.carryOut(q, &finding{})
	q.path = strings.Repeat("x", 100_000)
	w.report(q, "long")
	if n := log.Len(); n > 1000 {
		t.Errorf("%d bytes", n)
	}
	log.Reset()
	was := reports
	defer func() { reports = was }()
	reports = rate.NewLimiter(0, 3)
	for range 10 {
		w.report(q, "flood")
	}
	if n := strings.Count(log.String(), "\n"); n != 3 {
		t.Errorf("%d lines of 10, where 3 may be written", n)
	}
}

// TestTurns: requests wait for a turn no longer than patience, and a namespace's no more than its share; others are not
// concerned.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		was := turns
		defer func() { turns = was }()
		one := make(chan struct{}, 1)
		turns = func() chan struct{} { return one }
		ctx, leave := context.WithCancel(context.Background())
		release := make(chan bool)
		begun := make(chan bool)
		ended := make(chan bool, 2*maxWaiting)
		go func() { ended <- inTurn(context.Background(), "a", func() { close(begun); <-release }) }()
		<-begun
		for range maxWaiting - 1 {
			go func() { ended <- inTurn(context.Background(), "a", func() { t.Error("it ran") }) }()
		}
		synctest.Wait()
		if inTurn(context.Background(), "a", func() { t.Error("it ran") }) {
			t.Error("a namespace has more than its share")
		}
		go func() { ended <- inTurn(ctx, "other", func() { t.Error("it ran") }) }()
		synctest.Wait()
		leave()
		if <-ended {
			t.Error("a client that has left is looked at")
		}
		for range maxWaiting - 1 { // as patience ends
			if <-ended {
				t.Error("it ran")
			}
		}
		release <- true
		if !<-ended || !inTurn(context.Background(), "a", func() {}) {
			t.Error("a turn is lost")
		}
	})
}

// TestUnparsable: a body that is not what it says is refused as such.
func TestUnparsable(t *testing.T) {
	q := asking("/", "Content-Type", "application/json")
	q.method, q.body = "POST", []byte("{")
	f, err := coreRules.look(blocking(), q)
	if err != nil || !f.attack || f.status != 400 {
		t.Errorf("got %+v, %v", f, err)
	}
}

func BenchmarkLook(b *testing.B) {
	for name, q := range map[string]*question{
		"GET":      asking("/items?page=2&sort=price"),
		"POST 1k":  posting(1 << 10),
		"POST 16k": posting(16 << 10),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if f, err := coreRules.look(blocking(), q); err != nil || f.attack {
					b.Fatal(f, err)
				}
			}
		})
	}
}

func posting(n int) *question {
	q := asking("/", "Content-Type", "application/x-www-form-urlencoded")
	q.method, q.body = "POST", []byte("comment="+strings.Repeat("hello+world+", n/12))
	return q
}
