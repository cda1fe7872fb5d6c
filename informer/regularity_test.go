package informer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing/expression"
)

// TestRegularityIsBounded: an object has so many expressions at most, and what comes beyond stands for all that begins alike.
func TestRegularityIsBounded(t *testing.T) {
	var r regularity
	heavy := strings.Repeat("(?:.?){60}", 2)
	n, refused := 0, ""
	for ; refused == "" && n < 5000; n++ {
		text := fmt.Sprintf("/p%d%s", n, heavy)
		if _, err := r.pattern(text); errors.Is(err, errTooMany) {
			refused = text
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if refused == "" || r.size > maxExpressions+2*expression.MaxProgram {
		t.Fatalf("%d expressions of size %d are taken", n, r.size)
	}
	p, err := r.pattern(refused)
	if !errors.Is(err, errTooMany) || p.Prefix() != fmt.Sprintf("/p%d(", n-1)[:len(p.Prefix())] || p.Prefix() == "" {
		t.Errorf("the second time: %v, %q", err, p.Prefix())
	}
	m := expression.NewMatcher()
	defer m.Release()
	if !p.MatchAll(m, []byte(p.Prefix()+"anything")) || p.MatchAll(m, []byte("/q")) {
		t.Error("what is refused is not closed")
	}
}
