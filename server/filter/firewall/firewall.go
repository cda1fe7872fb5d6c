package firewall

import (
	"context"
	"log/slog"
	"strings"

	"golang.org/x/time/rate"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// Firewall is the Filter of a policy.Firewall. Safe for concurrent use; it is not written to once it is made.
type Firewall struct {
	slot  int
	p     *policy.Firewall
	rules *ruleSet
	log   *slog.Logger
}

// Outcomes are what it counts: sluice_filter_outcomes_total.
var Outcomes = []string{"clean", "detected", "blocked", "too_large", "unable"}

// The places of Outcomes.
const (
	clean = iota
	detected
	blocked
	tooLarge
	unable
)

// New makes a Firewall. The rules are compiled here, on the goroutine that builds Snapshots, where no Policy has needed them
// before.
func New(f policy.Filter, e server.Env) (server.Filter, error) {
	w := &Firewall{slot: e.Slot, p: f.(*policy.Firewall), rules: baseRules, log: e.Log}
	if w.p.CoreRules {
		w.rules = coreRules
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	_, err := w.rules.compiled()
	return w, err
}

var _ server.RequestFilter = (*Firewall)(nil)

// Name implements server.Filter.
func (*Firewall) Name() string { return string(policy.KindFirewall) }

// Request implements server.RequestFilter: it has the body read, and the request looked at off the loop.
func (w *Firewall) Request(x *server.Exchange) server.Verdict {
	limit := w.p.BodyBytes
	switch {
	case streams(x):
		return w.park(x, nil) // its messages may come for hours, and are no text
	case w.p.Block && x.BodyLength() > limit:
		return w.refuseLong(x)
	}
	return x.ReadBody(limit, func(x *server.Exchange, body []byte, whole bool) server.Verdict {
		if !whole && w.p.Block {
			return w.refuseLong(x)
		}
		if !whole {
			x.Count(w.slot, tooLarge)
		}
		return w.park(x, body)
	})
}

// streams reports whether a request is a call of gRPC, to a Backend that speaks it: the media type alone, which any client can
// send, has no body go unseen.
func streams(x *server.Exchange) bool {
	b := x.Backend()
	return b != nil && (b.Protocol == routing.GRPC || b.Protocol == routing.GRPCS) &&
		strings.HasPrefix(string(x.RequestField("Content-Type")), "application/grpc")
}

func (w *Firewall) refuseLong(x *server.Exchange) server.Verdict {
	x.Count(w.slot, tooLarge)
	return x.Refuse(413, "the body is longer than what can be looked at")
}

// park has the request looked at off the loop.
func (w *Firewall) park(x *server.Exchange, body []byte) server.Verdict {
	q := newQuestion(x, body)
	namespace := x.Route().Source.Ingress.Namespace
	return x.Park(func(ctx context.Context) func(*server.Exchange) server.Verdict {
		var found finding
		var err error
		if !inTurn(ctx, namespace, func() { found, err = w.rules.look(w.p, q) }) {
			return w.unable("too many requests wait to be looked at")
		}
		if err != nil {
			w.report(q, "could not look at a request", "error", err)
			return w.unable("the request could not be looked at")
		}
		return w.carryOut(q, &found)
	})
}

// carryOut logs a finding, and returns what follows from it.
func (w *Firewall) carryOut(q *question, f *finding) func(*server.Exchange) server.Verdict {
	outcome := clean
	switch {
	case f.attack && w.p.Block:
		outcome = blocked
		w.report(q, "firewall blocked a request", "rules", f.rules, "why", f.why)
	case f.attack:
		outcome = detected
		w.report(q, "firewall detected an attack", "rules", f.rules, "why", f.why)
	}
	status := 403
	if f.status == 400 {
		status = 400 // a body that cannot be parsed
	}
	return func(x *server.Exchange) server.Verdict {
		x.Count(w.slot, outcome)
		if outcome == blocked {
			return x.Refuse(status, "the request looks like an attack")
		}
		return server.Continue
	}
}

// unable is what follows where a request was not looked at.
func (w *Firewall) unable(why string) func(*server.Exchange) server.Verdict {
	return func(x *server.Exchange) server.Verdict {
		x.Count(w.slot, unable)
		if w.p.Block {
			return x.Refuse(503, why)
		}
		return server.Continue
	}
}

// newQuestion copies a request, for a goroutine that outlives the call.
func newQuestion(x *server.Exchange, body []byte) *question {
	q := &question{
		method: string(x.Method()), target: string(x.Target()), protocol: x.Protocol(), host: string(x.Host()),
		client: x.Client(), body: append([]byte(nil), body...),
		path: string(x.Path()), id: string(x.RequestField("X-Request-ID")), object: x.Route().Source.Ingress.String(),
	}
	if q.target == "" {
		q.target = "/"
	}
	named := false
	for name, value := range x.ClientFields() {
		named = named || len(name) == 4 && strings.EqualFold(string(name), "Host")
		q.fields = append(q.fields, [2]string{string(name), string(value)})
	}
	if !named && len(x.Authority()) > 0 {
		q.fields = append(q.fields, [2]string{"Host", string(x.Authority())})
	}
	return q
}

// reports bounds the lines that requests can cause, in the process.
var reports = rate.NewLimiter(50, 200)

// maxShown bounds what a line shows of a path.
const maxShown = 256

// report writes an audit line: the request without its query, fields and body, which may hold what is nobody's business.
func (w *Firewall) report(q *question, what string, more ...any) {
	if !reports.Allow() {
		return
	}
	w.log.Warn(what, append([]any{
		"ingress", q.object, "client", q.client.String(), "method", shown(q.method), "host", shown(q.host), "path", shown(q.path), "request_id", shown(q.id),
	}, more...)...)
}

func shown(s string) string {
	if len(s) > maxShown {
		s = strings.ToValidUTF8(s[:maxShown], "") + "..."
	}
	return policy.Word(s)
}
