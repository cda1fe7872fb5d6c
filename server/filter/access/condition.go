package access

import (
	"context"
	"strings"

	"github.com/sluice-gateway/sluice/server"
)

// condition is what a request must meet: a list of addresses, a password, the word of an authority.
type condition interface {
	// concerns reports whether the condition is one of the request's Route.
	concerns(x *server.Exchange) bool
	// rule judges the request. Where that would block it returns later instead, which runs off the loop, without x.
	rule(x *server.Exchange) (r ruling, later func(context.Context) ruling)
	// admit prepares a request that goes on: met is true where the condition was asked and is met, as r says. It is called for
	// requests that another condition let in as well.
	admit(x *server.Exchange, r ruling, met bool)
}

// ruling is what a condition says of a request.
type ruling struct {
	// status of the answer; 0: the condition is met.
	status int
	// undecided is true where the condition has nothing against the request, and does not let it in either.
	undecided bool
	// text of the answer, in our words.
	text string
	// fields of the answer beside those of every refusal: complete lines.
	fields []byte
	// location is where the client is sent to instead; "" for nowhere.
	location string
	// granted is what a condition that is met, and looked off the loop, hands to its admit.
	granted any
}

// refusal reports that the client, or the request, is not who or what may pass, rather than that something failed.
func (r *ruling) refusal() bool { return r.status == 401 || r.status == 403 || r.location != "" }

// enforce answers the request.
func (r *ruling) enforce(x *server.Exchange) server.Verdict {
	for rest := string(r.fields); rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, _ := strings.Cut(line, ": ")
		x.AddResponseField(name, value)
	}
	if r.location != "" {
		x.AddResponseField("Location", r.location)
	}
	return x.Refuse(r.status, r.text)
}

// ask judges a request by one condition.
//
// hot: runs per request; no alloc, no lock, where c.rule has no need of later.
func ask(x *server.Exchange, c condition) server.Verdict {
	if !c.concerns(x) {
		return server.Continue
	}
	r, later := c.rule(x)
	if later != nil {
		return askLater(x, c, later)
	}
	if r.status != 0 {
		return r.enforce(x)
	}
	c.admit(x, r, true)
	return server.Continue
}

// askLater is ask off the loop.
func askLater(x *server.Exchange, c condition, later func(context.Context) ruling) server.Verdict {
	return x.Park(func(ctx context.Context) func(*server.Exchange) server.Verdict {
		r := later(ctx)
		return func(x *server.Exchange) server.Verdict {
			if r.status != 0 {
				return r.enforce(x)
			}
			c.admit(x, r, true)
			return server.Continue
		}
	})
}

// challenges is where ACME's authorities ask for what proves the control of a host: they have no password.
const challenges = "/.well-known/acme-challenge"

// challenged reports whether a Route's own path, and not only the request's, is for such proofs.
func challenged(x *server.Exchange) bool { return strings.HasPrefix(x.Route().Path, challenges) }
