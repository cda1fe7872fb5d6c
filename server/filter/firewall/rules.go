package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"

	coreruleset "github.com/corazawaf/coraza-coreruleset/v4"
	"github.com/corazawaf/coraza/v3"
	"github.com/corazawaf/coraza/v3/experimental/plugins/plugintypes"
	"github.com/corazawaf/coraza/v3/types"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// base are the directives of both rule sets: how bodies are parsed by their types, and that a body which cannot be parsed is
// refused. How much of a body there is has been decided before.
const base = `
Include @coraza.conf-recommended
SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 2097152
SecRequestBodyInMemoryLimit 2097152
SecRequestBodyLimitAction ProcessPartial
SecResponseBodyAccess Off
SecAuditEngine Off
`

// core are the directives of the core rules, for requests alone. Methods and media types of ordinary APIs are added to those
// that its setup allows: they are no attacks.
const core = base + `
Include @crs-setup.conf.example
SecAction "id:9900001,phase:1,pass,nolog,setvar:'tx.allowed_methods=GET HEAD POST OPTIONS PUT PATCH DELETE'"
SecAction "id:9900002,phase:1,pass,nolog,setvar:'tx.allowed_request_content_type=|application/x-www-form-urlencoded| |multipart/form-data| |multipart/related| |text/xml| |application/xml| |application/soap+xml| |application/json| |application/cloudevents+json| |application/cloudevents-batch+json| |text/plain| |application/octet-stream| |application/merge-patch+json| |application/json-patch+json| |application/csp-report| |application/reports+json| |application/x-protobuf|'"
Include @owasp_crs/REQUEST-*.conf
`

// ruleSet is a compiled rule set. Made by its first user, and shared by all of the process.
type ruleSet struct {
	directives string
	once       sync.Once
	waf        coraza.WAF
	err        error
}

var baseRules, coreRules = &ruleSet{directives: base}, &ruleSet{directives: core}

// compiled returns the rule set, compiled at the first call: some 0.1 seconds and 12 MiB for the core rules.
func (r *ruleSet) compiled() (coraza.WAF, error) {
	r.once.Do(func() {
		r.waf, r.err = coraza.NewWAF(coraza.NewWAFConfig().WithRootFS(coreruleset.FS).WithDirectives(r.directives))
		if r.err != nil {
			return
		}
		tx := r.waf.NewTransaction()
		defer tx.Close()
		_, r.err = tunable(tx)
	})
	return r.waf, r.err
}

// tuned is a transaction whose variables and rules can be changed.
type tuned interface {
	plugintypes.TransactionState
	RemoveRuleByIDRange(first, last int)
}

func tunable(tx types.Transaction) (tuned, error) {
	t, ok := tx.(tuned)
	if !ok {
		return nil, errors.New("transactions of the rules cannot be changed: another version of Coraza?")
	}
	return t, nil
}

// question is what is looked at of a request, copied.
type question struct {
	method, target, protocol, host string
	fields                         [][2]string
	client                         netip.Addr
	body                           []byte
	// For the log alone:
	path, id, object string
}

// finding is what the rules say.
type finding struct {
	attack bool
	status int
	rules  []int  // that have matched, the first few
	why    string // the message of the rule that matters most
}

// maxNamed bounds the rules that a line of the log names.
const maxNamed = 20

// look runs the rules of p over a request. It takes milliseconds.
func (r *ruleSet) look(p *policy.Firewall, q *question) (f finding, err error) {
	waf, err := r.compiled()
	if err != nil {
		return f, err
	}
	tx := waf.NewTransactionWithID(cmp.Or(strings.TrimSpace(q.id), "-"))
	defer func() {
		err = errors.Join(err, tx.Close())
	}()
	if err := tune(tx, p); err != nil {
		return f, err
	}
	tx.ProcessConnection(q.client.String(), 0, "", 0)
	tx.ProcessURI(q.target, q.method, q.protocol)
	tx.SetServerName(q.host)
	for _, field := range q.fields {
		tx.AddRequestHeader(field[0], field[1])
	}
	interrupted := tx.ProcessRequestHeaders()
	if interrupted == nil && len(q.body) > 0 {
		if interrupted, _, err = tx.WriteRequestBody(q.body); err != nil {
			return f, fmt.Errorf("look at body: %w", err)
		}
	}
	if interrupted == nil {
		if interrupted, err = tx.ProcessRequestBody(); err != nil {
			return f, fmt.Errorf("look at body: %w", err)
		}
	}
	if interrupted != nil {
		f.attack, f.status = true, interrupted.Status
	}
	f.note(tx.MatchedRules())
	return f, nil
}

// tune has the settings of a Policy hold for one transaction.
func tune(tx types.Transaction, p *policy.Firewall) error {
	t, err := tunable(tx)
	if err != nil {
		return err
	}
	variables := t.Variables().TX()
	variables.Set("inbound_anomaly_score_threshold", []string{strconv.Itoa(p.Threshold)})
	variables.Set("blocking_paranoia_level", []string{strconv.Itoa(p.Paranoia)})
	variables.Set("detection_paranoia_level", []string{strconv.Itoa(p.Paranoia)})
	for _, e := range p.Exclude {
		t.RemoveRuleByIDRange(e.First, e.Last)
	}
	return nil
}

// note keeps the numbers of the rules that have a message, and the first such message.
func (f *finding) note(matched []types.MatchedRule) {
	for _, m := range matched {
		id := m.Rule().ID()
		switch {
		case m.Message() == "" || id == bodyInspection || id/1000 == scoring:
			continue
		case f.why == "":
			f.why = m.Message()
		}
		if len(f.rules) < maxNamed {
			f.rules = append(f.rules, id)
		}
	}
}

const (
	// bodyInspection only says that a body without a known type is looked at as text.
	bodyInspection = 901340
	// scoring are the rules, in thousands, that add up what the others have found.
	scoring = 949
)
