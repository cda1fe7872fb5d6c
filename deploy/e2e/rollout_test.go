package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Every Pod of a Backend is replaced, one at a time, as a Deployment does it: the new one is ready,
// the old one's Endpoint goes, and 100 ms later the old one ends.
func TestRollout(t *testing.T) {
	s := newSpace(t)
	const replicas = 3
	var pods []*pod
	var answers []string
	for i := range replicas {
		pods = append(pods, startPod(t, fmt.Sprintf("old-%d", i)))
		answers = append(answers, fmt.Sprintf("200 old-%d", i), fmt.Sprintf("200 new-%d", i))
	}
	s.web("web", pods...)
	s.ingress("x", s.host("x")+" / Prefix web:80")
	await(t, shared.gateway, s.host("x"), "/", answers...)
	l := startLoad(16, 0, expect(s.host("x"), "/", answers...))
	defer l.stop(t, 0)
	l.more(t, 500)
	for i := range replicas {
		old := pods[i]
		pods[i] = startPod(t, fmt.Sprintf("new-%d", i))
		s.setEndpoints("web", append(readyEndpoints(pods...), terminatingEndpoint(old))...)
		time.Sleep(100 * time.Millisecond)
		old.stop(t)
		s.setEndpoints("web", readyEndpoints(pods...)...)
		everyPodIsAsked(t, l, pods...)
	}
}

// The only Pod is replaced: for a moment only the terminating one is there, and it finishes its answers
// when its Endpoint is long gone.
func TestRolloutOfTheOnlyPod(t *testing.T) {
	s := newSpace(t)
	old := startPod(t, "old")
	s.web("web", old)
	s.ingress("x", s.host("x")+" / Prefix web:80")
	await(t, shared.gateway, s.host("x"), "/", "200 old")
	l := startLoad(8, 0, expect(s.host("x"), "/", "200 old", "200 new"))
	defer l.stop(t, 0)
	l.more(t, 200)
	slow := startSlow(t, shared.gateway, old, s.host("x"), "/")
	s.setEndpoints("web", terminatingEndpoint(old))
	l.more(t, 500)
	fresh := startPod(t, "new")
	s.setEndpoints("web", terminatingEndpoint(old), readyEndpoint(fresh))
	await(t, shared.gateway, s.host("x"), "/", "200 new")
	s.setEndpoints("web", readyEndpoint(fresh))
	x := expect(s.host("x"), "/", "200 old", "200 new")
	awaitOnly(t, x, "200 new")
	l.more(t, 500)
	old.unblock()
	if got, want := <-slow, old.slowBody(podPort, "/"); got != want {
		t.Errorf("the request that was under way got %q, want %q", got, want)
	}
	old.stop(t)
	l.more(t, 500)
}

// A Pod dies and its Endpoint stays: only requests that it was answering may fail.
func TestKilledPod(t *testing.T) {
	s := newSpace(t)
	pods := []*pod{startPod(t, "a"), startPod(t, "b"), startPod(t, "c")}
	s.web("web", pods...)
	s.ingress("x", s.host("x")+" / Prefix web:80")
	await(t, shared.gateway, s.host("x"), "/", "200 a", "200 b", "200 c")
	l := startLoad(16, 0, expect(s.host("x"), "/?wait", "200 a", "200 b", "200 c"))
	tolerated := 0
	defer func() { l.stop(t, tolerated) }()
	l.more(t, 1000)
	tolerated = int(pods[0].kill())
	t.Logf("the Pod was answering %d requests", tolerated)
	l.more(t, 2000)
	failed := l.count()
	// Long enough that the gateway tries the dead one again, now and then.
	time.Sleep(2 * time.Second)
	if late := l.count() - failed; late > 0 {
		t.Errorf("%d requests failed after those that the Pod was answering", late)
	}
	s.setEndpoints("web", readyEndpoints(pods[1:]...)...)
	l.more(t, 1000)
	// The Pod comes back under the same address and is asked again.
	back := startPodAt(t, "a", pods[0].address)
	s.setEndpoints("web", readyEndpoints(back, pods[1], pods[2])...)
	eventually(t, "request to the Pod that came back", func() (bool, string) { return back.asked.Load() > 0, "none" })
}

// A killed Pod's slow answer is cut: its client must not take the part that came for a whole one.
func TestKilledPodCutsItsAnswers(t *testing.T) {
	s := newSpace(t)
	a := startPod(t, "a")
	s.web("web", a)
	s.ingress("x", s.host("x")+" / Prefix web:80")
	await(t, shared.gateway, s.host("x"), "/", "200 a")
	slow := startSlow(t, shared.gateway, a, s.host("x"), "/")
	a.kill()
	if got := <-slow; strings.HasPrefix(got, "a ") {
		t.Errorf("the answer that was cut looked complete: %q", got)
	}
}
