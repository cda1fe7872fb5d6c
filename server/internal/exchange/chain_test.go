package exchange

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/stats"
)

// wanted is the configuration of a plug.
type wanted struct{ kind policy.Kind }

func (w *wanted) Kind() policy.Kind          { return w.kind }
func (w *wanted) Equal(policy.Filter) bool   { return true }
func (w *wanted) AppendText(b []byte) []byte { return b }
func wants(kinds ...policy.Kind) *policy.Policy {
	p := &policy.Policy{}
	for _, k := range kinds {
		p.Set(&wanted{k})
	}
	return p
}

// numbered is a Filter that knows its place.
type numbered struct{ slot int }

func (numbered) Name() string              { return "numbered" }
func (numbered) Request(*Exchange) Verdict { return Continue }

// TestCompile: the makers' order is the onion's, behind the Filters of every Route; what cannot be made closes the Routes.
func TestCompile(t *testing.T) {
	var log bytes.Buffer
	made := 0
	maker := func(k policy.Kind) Maker {
		return Maker{Kind: k, Make: func(f policy.Filter, e Env) (Filter, error) {
			if f.Kind() != k {
				t.Errorf("%s was given %s", k, f.Kind())
			}
			made++
			return numbered{slot: e.Slot}, nil
		}}
	}
	broken := Maker{Kind: "broken", Make: func(policy.Filter, Env) (Filter, error) { return nil, errors.New("cannot be done") }}
	a := NewCompiler(stats.NewRegistry(func() *routing.Snapshot { return nil }, nil, stats.Limits{}), slog.New(slog.NewTextHandler(&log, nil)), []Filter{numbered{}}, []Maker{maker("z"), maker("a"), broken}, 2)
	for _, row := range []struct {
		policy *policy.Policy
		size   uint8
		closed bool
		log    string
	}{
		{&policy.Policy{}, 1, false, ""},
		{&policy.Policy{Closed: "why not"}, 1, true, ""},
		{wants("a"), 2, false, ""},
		{wants("a", "z"), 3, false, ""},
		{wants("a", "unknown", "z"), 0, true, "no filter of kind unknown is registered"},
		{wants("broken"), 0, true, "make filter broken: cannot be done"},
		{&policy.Policy{Filters: []policy.Filter{&wanted{"a"}, &wanted{"a"}}}, 0, true, "filter a occurs twice"},
	} {
		log.Reset()
		made = 0
		c := a.compile(row.policy)
		if c.closed != row.closed || !row.closed && c.chain.size != row.size {
			t.Errorf("%v: closed %v, %d filters", row.policy, c.closed, c.chain.size)
		}
		if row.log == "" && log.Len() > 0 || !strings.Contains(log.String(), row.log) {
			t.Errorf("%v: logged %s", row.policy, log.String())
		}
		if c.closed {
			continue
		}
		for i, f := range c.chain.request[1:] {
			if f.filter.(numbered).slot != int(f.at) || int(f.at) != i+1 {
				t.Errorf("%v: filter %d is at %d and was told %d", row.policy, i, f.at, f.filter.(numbered).slot)
			}
		}
	}
	if a.compile(&policy.Policy{}).chain != a.Plain.chain {
		t.Error("a Policy without filters has a chain of its own")
	}
}
