// Command example is Sluice with a filter of its own: an annotation puts a greeting into the responses of an object.
package main

import (
	"github.com/sluice-gateway/sluice"
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
)

// greeting is what an object asks for, and the filter that carries it out on the loops: it must not block.
type greeting struct{ Text string }

func (*greeting) Name() string { return "greeting" } // in logs

func (g *greeting) Response(_ *server.Exchange, r *server.Response) server.Verdict {
	r.Set("X-Greeting", g.Text)
	return server.Continue
}

func main() {
	sluice.Main(sluice.Options{Filters: []sluice.Filter{sluice.Declare(sluice.Declaration[greeting]{
		Name: "greeting", Stage: policy.StageFields, New: func(g greeting, _ server.Env) (server.Filter, error) { return &g, nil },
		Annotations: []sluice.Annotation[greeting]{{Key: "example.com/greeting", Value: "text", Doc: "Text of X-Greeting in every response.",
			Set: func(g *greeting, text string) error { g.Text = text; return policy.ValidField("X-Greeting", text) }}},
	})}})
}
