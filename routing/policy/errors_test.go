package policy

import "testing"

func init() { filters = append(filters, &Errors{}, &Fallback{}) }

func TestErrors(t *testing.T) {
	by := BackendRef{3, "default/errors:80"}
	for want, e := range map[string]*Errors{
		"404,503 answered by default/errors:80":      {Statuses: []int{404, 503}, By: by},
		"404 of the gateway's own answered with 404": {Statuses: []int{404}, OwnOnly: true},
		`500 answered by "default/errors:80#\n404"`:  {Statuses: []int{500}, By: BackendRef{0, "default/errors:80#\n404"}},
	} {
		if got := string(e.AppendText(nil)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if (BackendRef{}).At() != -1 || (BackendRef{0, "a/b:80"}).At() != 0 {
		t.Error("the index of no Backend is one, or that of one is none")
	}
}
