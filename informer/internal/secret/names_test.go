package secret

import (
	"strings"
	"testing"
)

// TestNames: which Certificates a name is served with, and which sections lose. a.crt is good for a.test,
// wildcard.crt and wildcard-ec.crt for *.b.test.
func TestNames(t *testing.T) {
	type ingress struct {
		name    string
		created int64
		hosts   string
		// pair is the file of the Secret, which is called so.
		pair string
	}
	rows := []struct {
		name      string
		owners    map[string]string
		ingresses []ingress
		options   Options
		asked     string
		served    string
		lost      []string
	}{
		{"the only claim", nil, []ingress{{"shop/web", 1, "a.test", "a"}},
			Options{}, "a.test", "shop/a", nil},
		{"no claim", map[string]string{"a.test": "shop"}, nil,
			Options{}, "a.test", "", nil},
		{"the older of one algorithm", nil, []ingress{{"shop/new", 2, "a.test", "renewed"}, {"shop/old", 1, "a.test", "a"}},
			Options{}, "a.test", "shop/a", []string{"wins because it is older"}},
		{"one of each algorithm", nil, []ingress{{"shop/new", 2, "*.b.test", "wildcard"}, {"shop/old", 1, "*.b.test", "wildcard-ec"}},
			Options{}, "x.b.test", "shop/wildcard-ec shop/wildcard", nil},
		{"the owner's, although it is newer", map[string]string{"a.test": "shop"},
			[]ingress{{"other/web", 1, "a.test", "a"}, {"shop/web", 2, "a.test", "renewed"}},
			Options{}, "a.test", "shop/renewed", []string{"belongs to another namespace"}},
		{"another namespace's where the owner has none", map[string]string{"a.test": "shop"}, []ingress{{"other/web", 1, "a.test", "a"}},
			Options{}, "a.test", "other/a", nil},
		{"nobody's where names are exclusive", map[string]string{"a.test": "shop"}, []ingress{{"other/web", 1, "a.test", "a"}},
			Options{Exclusive: true}, "a.test", "", []string{"belongs to another namespace"}},
		{"the catch-all's owner answers", map[string]string{"": "shop"}, []ingress{{"other/web", 1, "a.test", "a"}, {"shop/web", 2, "a.test", "renewed"}},
			Options{}, "a.test", "shop/renewed", []string{"belongs to another namespace"}},
		{"the wildcard's owner answers", map[string]string{"*.test": "shop", "": "other"},
			[]ingress{{"other/web", 1, "a.test", "a"}, {"shop/web", 2, "a.test", "renewed"}},
			Options{}, "a.test", "shop/renewed", []string{"belongs to another namespace"}},
		{"a foreign wildcard gives way to the owner's own", map[string]string{"x.b.test": "shop"},
			[]ingress{{"other/web", 1, "*.b.test", "wildcard"}, {"shop/web", 2, "*.b.test", "wildcard-ec"}},
			Options{}, "x.b.test", "shop/wildcard-ec", []string{"belongs to another namespace"}},
		{"a certificate that is not good for the name", nil, []ingress{{"shop/web", 1, "c.test", "a"}},
			Options{}, "c.test", "", nil},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			// In both orders of arrival.
			for _, ownersFirst := range []bool{true, false} {
				s := New(row.options)
				own := func() {
					for host, namespace := range row.owners {
						s.SetOwner(host, namespace, true)
					}
				}
				if ownersFirst {
					own()
					s.Refresh(testNow, 0)
				}
				var r Result
				lost := make(map[string][]Fault)
				refresh := func() {
					r = s.Refresh(testNow, 0)
					for name, faults := range r.ByName {
						lost[name] = faults
					}
				}
				for _, i := range row.ingresses {
					secret := strings.SplitN(i.name, "/", 2)[0] + "/" + i.pair
					s.Apply(name(secret), pairOf(t, i.pair))
					s.Refer(name(i.name), References{Created: i.created, Sections: []Section{section(0, secret, i.hosts)}})
					refresh()
				}
				own()
				refresh()
				if got := r.served(row.asked); got != row.served {
					t.Errorf("owners first %v: %s is served %q, want %q", ownersFirst, row.asked, got, row.served)
				}
				var reasons []string
				for _, faults := range lost {
					for _, f := range faults {
						reasons = append(reasons, f.Reason)
					}
				}
				if len(reasons) != len(row.lost) || len(reasons) > 0 && !strings.Contains(reasons[0], row.lost[0]) {
					t.Errorf("owners first %v: Faults %q, want %q", ownersFirst, reasons, row.lost)
				}
			}
		})
	}
}
