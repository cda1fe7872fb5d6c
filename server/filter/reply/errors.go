package reply

import (
	"strconv"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Errors has another Backend answer in place of errors: policy.Errors. That Backend is asked for the path / with the client's
// method and query, and told what happened by the fields that error backends of ingress-nginx read.
type Errors struct {
	ownOnly  bool
	by       int32
	replaced [maxStatus + 1]bool // by status
}

const maxStatus = 599

// NewErrors makes an Errors.
func NewErrors(f policy.Filter, _ server.Env) (server.Filter, error) {
	p := f.(*policy.Errors)
	made := &Errors{ownOnly: p.OwnOnly, by: p.By.At()}
	for _, status := range p.Statuses {
		made.replaced[status] = true
	}
	return made, nil
}

var _ server.DetourFilter = (*Errors)(nil)

// Name implements server.Filter.
func (*Errors) Name() string { return string(policy.KindErrors) }

// DetourTo implements server.DetourFilter.
func (e *Errors) DetourTo() int32 { return e.by }

// Response implements server.ResponseFilter.
//
// hot: runs per response; no alloc, no lock.
func (e *Errors) Response(x *server.Exchange, r *server.Response) server.Verdict {
	status, own := r.Status(), r.Own()
	if status > maxStatus || !e.replaced[status] || !own && e.ownOnly || !r.MayDetour() {
		return server.Continue
	}
	if r.Detour() != server.Respond {
		return x.Refuse(404, "nobody answers for this error")
	}
	x.SetPath(root)
	if host := x.Authority(); len(host) > 0 {
		x.SetHost(host)
	}
	describe(x, status)
	return server.Respond
}

var target = variable.Must("$request_uri", policy.AuthorityVariables)

// root is the path of error pages.
var root = []byte{'/'}

// The fields that tell an error backend what happened, beside X-Request-ID, which every request has.
const (
	fieldCode    = "X-Code"
	fieldFormat  = "X-Format"
	fieldTarget  = "X-Original-URI"
	fieldSpace   = "X-Namespace"
	fieldIngress = "X-Ingress-Name"
	fieldService = "X-Service-Name"
	fieldPort    = "X-Service-Port"
)

// describe tells what happened. A client's own fields of these names do not go on.
func describe(x *server.Exchange, status int) {
	for _, name := range [...]string{fieldCode, fieldFormat, fieldTarget, fieldSpace, fieldIngress, fieldService, fieldPort} {
		x.DropRequestField(name)
	}
	add := func(name, value string) {
		if value != "" {
			x.AddRequestField(name, value)
		}
	}
	add(fieldCode, strconv.Itoa(status))
	add(fieldFormat, string(x.RequestField("Accept")))
	add(fieldTarget, target.For(x))
	if of := x.Route().Source; of != nil {
		add(fieldSpace, of.Ingress.Namespace)
		add(fieldIngress, of.Ingress.Name)
	}
	if to := x.Backend(); to != nil {
		add(fieldService, to.Key.Service)
		add(fieldPort, to.Key.Port)
	}
}
