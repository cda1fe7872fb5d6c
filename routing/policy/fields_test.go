package policy

import "testing"

func init() { filters = append(filters, &Fields{}) }

func TestFields(t *testing.T) {
	f := &Fields{
		Remove: []string{"X-A", "X-B"}, Set: []Field{{"X-C", "1"}, {"X-D", "two words"}}, Add: []Field{{"X-E", ""}}, Default: []Field{{"X-F", "a\"b"}},
	}
	const want = `remove X-A X-B set X-C: 1 set X-D: "two words" add X-E: "" default X-F: "a\"b"`
	if got := string(f.AppendText(nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
