package e2e

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// target is one URL that a load asks for, and the answers that are right at the moment.
type target struct {
	host, path string
	allowed    expectation
}

// expect makes a target. The answers are written as answer.String gives them.
func expect(host, path string, answers ...string) *target {
	x := &target{host: host, path: path}
	x.allowed.Store(&answers)
	return x
}

// await asks until one of the answers comes.
func await(t *testing.T, g *gateway, host, path string, answers ...string) {
	t.Helper()
	c := client{address: g.address}
	defer c.close()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		a, err := c.get(host, path)
		if err == nil && slices.Contains(answers, a.String()) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("GET %s%s: %v %v, want one of %q", host, path, a, err, answers)
		}
		time.Sleep(time.Millisecond)
	}
}

// check asks once.
func check(t *testing.T, host, path, want string) {
	t.Helper()
	c := client{address: shared.gateway.address}
	defer c.close()
	a, err := c.get(host, path)
	if err != nil || a.String() != want {
		t.Errorf("GET %s%s: %v %v, want %s", host, path, a, err, want)
	}
}

// load asks for targets on some connections until stopped. Safe for concurrent use.
type load struct {
	stopping chan struct{}
	workers  sync.WaitGroup
	served   atomic.Int64

	mu sync.Mutex
	// Guarded by mu:
	failed   int
	failures []string // the first few
}

// startLoad begins to ask the shared gateway for the targets in turn, on each connection one request
// at a time with a pause between them.
func startLoad(connections int, pause time.Duration, targets ...*target) *load {
	l := &load{stopping: make(chan struct{})}
	for first := range connections {
		l.workers.Go(func() { l.work(first, pause, targets) })
	}
	return l
}

func (l *load) work(first int, pause time.Duration, targets []*target) {
	c := client{address: shared.gateway.address}
	defer c.close()
	for i := first; ; i++ {
		select {
		case <-l.stopping:
			return
		default:
		}
		x := targets[i%len(targets)]
		moment := x.allowed.now()
		a, err := c.get(x.host, x.path)
		allowed := x.allowed.since(moment)
		switch {
		case err != nil:
			l.fail(err.Error())
		case !slices.Contains(allowed, a.String()):
			l.fail("GET " + x.host + x.path + ": " + a.String() + " " + a.body + ", want one of " + strings.Join(allowed, ", "))
		}
		l.served.Add(1)
		if pause > 0 {
			time.Sleep(pause)
		}
	}
}

// change runs apply, which makes the target answer otherwise. Meanwhile the old answers are right too,
// and those of between; once a new one was seen, only new ones are. It returns when the load has asked
// for the new state for a while.
func (l *load) change(t *testing.T, x *target, to, between []string, apply func()) {
	t.Helper()
	before := *x.allowed.Load()
	during := slices.Concat(before, between, to)
	x.allowed.Store(&during)
	apply()
	fresh := slices.DeleteFunc(slices.Clone(to), func(a string) bool { return slices.Contains(before, a) })
	await(t, shared.gateway, x.host, x.path, fresh...)
	x.allowed.Store(&to)
	l.more(t, 100)
}

// more returns when the load has made n more requests.
func (l *load) more(t *testing.T, n int64) {
	t.Helper()
	until := l.served.Load() + n
	for deadline := time.Now().Add(2 * time.Minute); l.served.Load() < until; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the load came to a halt at %d requests", l.served.Load())
		}
	}
}

func (l *load) fail(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed++
	if len(l.failures) < 10 {
		l.failures = append(l.failures, time.Now().Format("15:04:05.000 ")+what)
	}
}

// count returns how many requests failed.
func (l *load) count() (failed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed
}

// stop ends the load, and fails the test when more than `tolerated` requests went wrong.
func (l *load) stop(t *testing.T, tolerated int) {
	t.Helper()
	close(l.stopping)
	l.workers.Wait()
	failed := l.count()
	t.Logf("%d requests, %d failed", l.served.Load(), failed)
	if l.served.Load() == 0 {
		t.Error("the load asked for nothing")
	}
	if failed > tolerated {
		t.Errorf("%d of %d requests failed, want at most %d; the first:\n%s", failed, l.served.Load(), tolerated, strings.Join(l.failures, "\n"))
	}
}

// eventually returns when holds does; its text describes the last finding instead.
func eventually(t *testing.T, what string, holds func() (bool, string)) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		ok, found := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no %s within 2 minutes; found %s", what, found)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
