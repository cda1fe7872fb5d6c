package stats

import (
	"fmt"
	"strings"
	"testing"
)

// TestFilters: each filter has its own counts, those of one name share them, and what is beyond the bound is counted together.
func TestFilters(t *testing.T) {
	r := NewRegistry(snapshotOf(), nil, roomy)
	l := startLoop()
	defer l.stop()
	waf, again := r.AddFilter("waf", []string{"clean", "blocked"}), r.AddFilter("greeting", nil)
	if r.AddFilter("greeting", nil) != again {
		t.Error("one name has two numbers")
	}
	limit := r.AddFilter("limit", []string{"delayed"})
	for i := range 2 * maxFilters {
		r.AddFilter(fmt.Sprint("other", i), nil)
	}
	s := r.NewShard(l.post, nil)
	l.do(func() {
		s.Filter(waf).Continued += 3
		s.Filter(again).Spoiled++
		s.Filter(OtherFilter).Faulted++
		first, n := r.Outcomes(waf)
		s.CountOutcome(first + n - 1)
		first, _ = r.Outcomes(limit)
		s.CountOutcome(first)
	})
	text := scrapeAll(t, r)
	for _, want := range []string{
		`sluice_filter_verdicts_total{filter="waf",phase="request",verdict="continue"} 3`,
		`sluice_filter_verdicts_total{filter="greeting",phase="response",verdict="fault"} 1`,
		`sluice_filter_verdicts_total{filter="_other",phase="other",verdict="fault"} 1`,
		`sluice_filter_outcomes_total{filter="waf",outcome="clean"} 0`,
		`sluice_filter_outcomes_total{filter="waf",outcome="blocked"} 1`,
		`sluice_filter_outcomes_total{filter="limit",outcome="delayed"} 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is not sent", want)
		}
	}
	if n := strings.Count(text, "verdict=\"park\""); n != maxFilters {
		t.Errorf("%d filters are sent, want %d", n, maxFilters)
	}
}
