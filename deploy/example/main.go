// Command example is Sluice with a filter of its own: responses of Backends carry a greeting.
package main

import (
	"github.com/sluice-gateway/sluice"
	"github.com/sluice-gateway/sluice/server"
)

// greeting is the value of the field X-Greeting. It runs on the loops: it must not block.
type greeting string

// Request lets every request pass.
func (greeting) Request(*server.Exchange) server.Verdict { return server.Continue }

// Response adds the field to the head of a response, before the client gets it.
func (g greeting) Response(x *server.Exchange) { x.AddResponseField("X-Greeting", string(g)) }

func main() {
	sluice.Main(sluice.Options{Server: server.Options{Filters: []server.Filter{greeting("hello")}}})
}
