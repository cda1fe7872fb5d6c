// Command example is Sluice with a filter of its own: responses carry a greeting.
package main

import (
	"github.com/sluice-gateway/sluice"
	"github.com/sluice-gateway/sluice/server"
)

// greeting is the value of the field X-Greeting. It runs on the loops: it must not block.
type greeting string

// Name is the filter's name in logs.
func (greeting) Name() string { return "greeting" }

// Response puts the field into the head of a response, before the client gets it.
func (g greeting) Response(_ *server.Exchange, r *server.Response) server.Verdict {
	r.Set("X-Greeting", string(g))
	return server.Continue
}

func main() {
	sluice.Main(sluice.Options{Server: server.Options{Filters: []server.Filter{greeting("hello")}}})
}
