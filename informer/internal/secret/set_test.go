package secret

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/routing"
)

var testNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// name reads "namespace/name".
func name(text string) routing.ObjectName {
	namespace, name, _ := strings.Cut(text, "/")
	return routing.ObjectName{Namespace: namespace, Name: name}
}

// pairOf is a Secret with a pair of testdata/tls.
func pairOf(t testing.TB, pair string) *corev1.Secret {
	t.Helper()
	return &corev1.Secret{Type: corev1.SecretTypeTLS, Data: map[string][]byte{
		corev1.TLSCertKey: testPEM(t, pair+".crt"), corev1.TLSPrivateKeyKey: testPEM(t, pair+".key"),
	}}
}

// section is one for a Secret, with hosts separated by spaces.
func section(position int, secret, hosts string) Section {
	return Section{Position: position, Secret: name(secret), Hosts: strings.Fields(hosts)}
}

// served names the Secrets of a server name's Certificates.
func (r *Result) served(host string) string {
	var names []string
	for _, c := range (&routing.Snapshot{ServerNames: r.ServerNames}).CertificatesFor(host) {
		names = append(names, c.Secret.String())
	}
	return strings.Join(names, " ")
}

// reasons lists the Faults of a step, sorted.
func (r *Result) reasons() (list []string) {
	for _, faults := range r.ByIngress {
		for _, f := range faults {
			list = append(list, fmt.Sprintf("%s %d %s: %s", f.Ingress, f.Section, f.Secret, f.Reason))
		}
	}
	for _, faults := range r.ByName {
		for _, f := range faults {
			list = append(list, fmt.Sprintf("%s %d %s: %s", f.Ingress, f.Section, f.Secret, f.Reason))
		}
	}
	slices.Sort(list)
	return list
}

// TestStep: the life of a Certificate, step by step, without a builder.
func TestStep(t *testing.T) {
	s := New(Options{})
	web := References{Created: 1, Sections: []Section{section(0, "shop/pair", "a.test")}}
	s.Refer(name("shop/web"), web)
	s.SetOwner("a.test", "shop", true)

	step := func(what string, changed bool, served string, reasons ...string) {
		t.Helper()
		r := s.Refresh(testNow, 0)
		if got := r.served("a.test"); got != served || r.Changed != changed {
			t.Errorf("%s: served %q, changed %v; want %q, %v", what, got, r.Changed, served, changed)
		}
		got := r.reasons()
		if len(got) != len(reasons) {
			t.Errorf("%s: Faults %q, want %q", what, got, reasons)
			return
		}
		for i, want := range reasons {
			if !strings.Contains(got[i], want) {
				t.Errorf("%s: Fault %q, want %q", what, got[i], want)
			}
		}
	}
	step("no Secret", false, "", "shop/web 0 pair: no such Secret of type kubernetes.io/tls in namespace shop; its hosts get")
	if got := s.Apply(name("shop/pair"), pairOf(t, "a")); got != nil {
		t.Errorf("a Secret of a section affects %v", got)
	}
	step("it comes", true, "shop/pair")
	step("nothing happens", false, "shop/pair")
	good := pairOf(t, "a")
	good.Labels = map[string]string{"of": "another tool"}
	s.Apply(name("shop/pair"), good)
	step("a label", false, "shop/pair")
	s.Apply(name("shop/pair"), pairOf(t, "renewed"))
	step("it is renewed", true, "shop/pair")

	broken := pairOf(t, "a")
	broken.Data[corev1.TLSPrivateKeyKey] = []byte("x")
	s.Apply(name("shop/pair"), broken)
	step("it breaks", false, "shop/pair", "tls.key is no PEM private key of a supported kind; the last good certificate of it stays in use")
	if s.Served(name("shop/pair")) == broken {
		t.Error("the broken Secret is said to be served")
	}
	s.Apply(name("shop/pair"), nil)
	step("it is deleted", true, "", "no such Secret")

	s.Apply(name("shop/pair"), pairOf(t, "expired"))
	step("one that has expired", true, "shop/pair", "the certificate expired at")
	s.Refer(name("shop/web"), References{})
	s.SetOwner("a.test", "", false)
	step("nothing refers to it", true, "")
	s.Apply(name("shop/pair"), nil)
	for what, n := range s.Held() {
		if n != 0 {
			t.Errorf("at the end: %d %s", n, what)
		}
	}
}

// TestCredential: a Secret that an annotation names compiles the Ingresses that name it, and only when it changes.
func TestCredential(t *testing.T) {
	s := New(Options{})
	ca := &corev1.Secret{Type: corev1.SecretTypeOpaque, Data: map[string][]byte{AuthoritiesKey: testPEM(t, "ca.crt")}}
	if m, absence := s.Credential(name("shop/ca")); m != nil || absence != "no such Secret in namespace shop" {
		t.Errorf("before it is there: %v, %q", m, absence)
	}
	s.Refer(name("shop/web"), References{Credentials: []routing.ObjectName{name("shop/ca")}})
	s.Refresh(testNow, 0)
	if got := s.Apply(name("shop/ca"), ca); !slices.Equal(got, []routing.ObjectName{name("shop/web")}) {
		t.Errorf("it comes: affects %v", got)
	}
	m, absence := s.Credential(name("shop/ca"))
	if m == nil || m.Roots == nil || absence != "" {
		t.Fatalf("it is there: %v, %q", m, absence)
	}
	if again, _ := s.Credential(name("shop/ca")); again != m {
		t.Error("the same Secret was parsed twice")
	}
	labelled := ca.DeepCopy()
	labelled.Labels = map[string]string{"of": "another tool"}
	if got := s.Apply(name("shop/ca"), labelled); got != nil {
		t.Errorf("a label affects %v", got)
	}
	changed := ca.DeepCopy()
	changed.Data[AuthoritiesKey] = testPEM(t, "ca-2.crt")
	if got := s.Apply(name("shop/ca"), changed); len(got) != 1 {
		t.Errorf("other authorities affect %v", got)
	}
	if next, _ := s.Credential(name("shop/ca")); next == m || next.AuthoritiesSum == m.AuthoritiesSum {
		t.Error("the former authorities are still there")
	}
	s.Refer(name("shop/web"), References{})
	if s.Refresh(testNow, 0); s.IsCredential(name("shop/ca")) {
		t.Error("it is kept without a reference")
	}
	// An Ingress that looks at a Secret and then fails to compile leaves nothing.
	s.Credential(name("shop/other"))
	if s.Refresh(testNow, 0); s.IsCredential(name("shop/other")) {
		t.Error("one that was looked at is kept without a reference")
	}
}

// TestDefault: the default certificate is that of a Secret without an Ingress, is kept when it breaks, and stands in
// where a name's own owner has none.
func TestDefault(t *testing.T) {
	s := New(Options{Default: name("gateway/default")})
	r := s.Refresh(testNow, 0)
	if want := "this is the default certificate: no such Secret in namespace gateway; there is none"; r.Default != nil || !slices.Equal(r.OfDefault, []string{want}) {
		t.Errorf("without a Secret: %v, %q", r.Default, r.OfDefault)
	}
	s.Apply(name("gateway/default"), pairOf(t, "a"))
	if r = s.Refresh(testNow, 0); r.Default == nil || !r.Changed || r.OfDefault != nil {
		t.Errorf("with a Secret: %v, changed %v, %q", r.Default, r.Changed, r.OfDefault)
	}
	was := r.Default
	s.Apply(name("gateway/default"), &corev1.Secret{Type: corev1.SecretTypeOpaque})
	r = s.Refresh(testNow, 0)
	if r.Default != was || r.Changed || len(r.OfDefault) != 1 || !strings.HasSuffix(r.OfDefault[0], keptServed) {
		t.Errorf("broken: the same %v, changed %v, %q", r.Default == was, r.Changed, r.OfDefault)
	}
	if from := s.Served(name("gateway/default")); from == nil || from.Type != corev1.SecretTypeTLS {
		t.Errorf("made of %v", from != nil)
	}
}

// TestNextChange: a Certificate that expires needs no event.
func TestNextChange(t *testing.T) {
	s := New(Options{})
	s.Apply(name("shop/pair"), pairOf(t, "a"))
	s.Refer(name("shop/web"), References{Sections: []Section{section(0, "shop/pair", "a.test")}})
	r := s.Refresh(testNow, 0)
	end := r.Certificates[0].NotAfter
	if next := s.NextChange(); !next.Equal(end.Add(1)) {
		t.Errorf("the next change is at %v, the end at %v", next, end)
	}
	if r = s.Refresh(end, 0); len(r.ByIngress) != 0 {
		t.Errorf("at the end: %q", r.reasons())
	}
	r = s.Refresh(end.Add(1), 0)
	if got := r.reasons(); r.Changed || len(got) != 1 || !strings.Contains(got[0], "expired") {
		t.Errorf("after the end: changed %v, %q", r.Changed, got)
	}
	// A clock that is set back.
	if r = s.Refresh(testNow, 0); len(r.ByIngress) != 1 || r.reasons() != nil {
		t.Errorf("before it again: %d Ingresses, %q", len(r.ByIngress), r.reasons())
	}
}

// TestOnDemand: what is not here may still arrive until its Watch reports, and what no Watch covers is not kept.
func TestOnDemand(t *testing.T) {
	s := New(Options{OnDemand: true})
	watches := func(what string, want ...Watch) {
		t.Helper()
		got := maps.Collect(func(yield func(Watch, struct{}) bool) {
			for w := range s.Watches() {
				if !yield(w, struct{}{}) {
					return
				}
			}
		})
		for _, w := range want {
			if _, there := got[w]; !there {
				t.Errorf("%s: no Watch %+v", what, w)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%s: Watches %v, want %v", what, got, want)
		}
	}
	all := Watch{Namespace: "shop", Scope: Certificates}
	one := Watch{Namespace: "shop", Name: "pair"}
	if s.Apply(name("shop/pair"), pairOf(t, "a")); s.Held()["Secrets"] != 0 {
		t.Error("a Secret is kept that no Watch covers")
	}
	s.Refer(name("shop/web"), References{Sections: []Section{section(0, "shop/pair", "a.test")}, Credentials: []routing.ObjectName{name("shop/ca")}})
	r := s.Refresh(testNow, 0)
	if got := r.reasons(); got != nil || !s.Waiting() {
		t.Errorf("before the first report: %q, waiting %v", got, s.Waiting())
	}
	watches("at first", all, Watch{Namespace: "shop", Name: "ca"})

	s.Read(all, "no right to all")
	if r = s.Refresh(testNow, 0); r.reasons() != nil || !s.Waiting() {
		t.Errorf("where all cannot be read: %q, waiting %v", r.reasons(), s.Waiting())
	}
	watches("where all cannot be read", all, one, Watch{Namespace: "shop", Name: "ca"})
	s.Read(one, "no right to one")
	if r = s.Refresh(testNow, 0); len(r.reasons()) != 1 || !strings.Contains(r.reasons()[0], "no right to one") {
		t.Errorf("where one cannot be read: %q", r.reasons())
	}
	if got := s.Read(Watch{Namespace: "shop", Name: "ca"}, ""); len(got) != 1 || s.Waiting() {
		t.Errorf("the credential is not there: affects %v, waiting %v", got, s.Waiting())
	}
	s.Read(all, "")
	s.Apply(name("shop/pair"), pairOf(t, "a"))
	s.Apply(name("shop/opaque"), &corev1.Secret{Type: corev1.SecretTypeOpaque})
	if r = s.Refresh(testNow, 0); r.served("a.test") != "shop/pair" || s.Held()["Secrets"] != 1 {
		t.Errorf("all can be read: served %q, held %v", r.served("a.test"), s.Held())
	}
	s.Refer(name("shop/web"), References{})
	if s.Refresh(testNow, 0); s.Held()["Secrets"] != 0 {
		t.Error("a Secret is kept that no Watch covers any more")
	}
	watches("at the end")
}

// TestManyCredentialsAreOneWatch: one by one up to maxNamed in a namespace.
func TestManyCredentialsAreOneWatch(t *testing.T) {
	s := New(Options{OnDemand: true})
	var a []routing.ObjectName
	for i := range maxNamed {
		a = append(a, routing.ObjectName{Namespace: "a", Name: fmt.Sprint("s", i)})
	}
	refer := func() (list []Watch) {
		s.Refer(name("a/user"), References{Credentials: a})
		s.Refer(name("b/user"), References{Credentials: []routing.ObjectName{name("b/s")}})
		return slices.Collect(s.Watches())
	}
	if n := len(refer()); n != maxNamed+1 {
		t.Errorf("%d Watches", n)
	}
	a = append(a, name("a/last"))
	want := []Watch{{Namespace: "b", Name: "s"}, {Namespace: "a", Scope: All}}
	if got := refer(); !slices.Equal(got, want) {
		t.Errorf("Watches %v", got)
	}
	s.Read(want[1], "")
	if s.Read(want[0], ""); s.Waiting() {
		t.Error("still waiting")
	}
}

// TestBudget: what a step leaves over is done by later ones, and each makes progress.
func TestBudget(t *testing.T) {
	s := New(Options{})
	const n = 5
	var sections []Section
	for i := range n {
		secret := fmt.Sprint("shop/pair", i)
		s.Apply(name(secret), pairOf(t, "a"))
		sections = append(sections, section(i, secret, "a.test"))
	}
	s.Refer(name("shop/web"), References{Sections: sections})
	steps := 0
	var r Result
	for ok := true; ok; ok = s.Behind() {
		if r = s.Refresh(testNow, time.Nanosecond); steps > n {
			t.Fatalf("still behind after %d steps", steps)
		}
		steps++
	}
	if len(r.Certificates) != n || steps < 2 {
		t.Errorf("%d Certificates after %d steps", len(r.Certificates), steps)
	}
}
