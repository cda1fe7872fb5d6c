package sluice

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/sluice-gateway/sluice/server/admin"
	"github.com/sluice-gateway/sluice/server/config"
)

// explainCommand says which way a request goes.
func explainCommand(o Options) command {
	return command{
		name:     "explain",
		synopsis: "[--manifests DIR | --kubeconfig FILE | --admin ADDR [--token FILE]] [-c|--config FILE] [--all] [-X METHOD] [-H 'Host: NAME'] URL",
		about: "Say which way a request goes, and why.\n" +
			"It names the Host, the Route and its neighbours, the Ingress, its policy, the Backend and the Endpoints. Without\n" +
			"--manifests and --kubeconfig a running gateway is asked, and no request is sent through it. Exit code 1 means\n" +
			"that the gateway would answer with an error itself: 404 without a Route, 503 without a ready Endpoint, and the\n" +
			"like. Only a running gateway knows the addresses behind a Service of type ExternalName; without one to ask they\n" +
			"count as there.",
		register: func(set *flag.FlagSet, out, _ io.Writer) func([]string) error {
			from := source{added: o}
			from.flags(set)
			var configured settings
			configured.flags(set)
			all := set.Bool("all", false, "List every Endpoint, rather than the first few.")
			var headers list
			set.Var(&headers, "H", "Add the field `'K: V'` to the request; Host takes the place of the URL's.")
			var to plane
			to.flags(set)
			method := set.String("X", "GET", "Use `METHOD`.")
			return func(args []string) error {
				if len(args) != 1 {
					return usagef("explain needs one URL")
				}
				if err := from.validate(); err != nil {
					return err
				}
				q := admin.Question{Method: *method, URL: args[0], All: *all}
				for _, field := range headers {
					name, value, ok := strings.Cut(field, ":")
					if !ok {
						return usagef("-H %q: write 'Name: value'", field)
					}
					if strings.EqualFold(strings.TrimSpace(name), "host") {
						q.Host = strings.TrimSpace(value)
					}
				}
				c, err := configured.load()
				if err != nil {
					return err
				}
				to.follow(c)
				answer, err := from.explain(to, c, q)
				if err != nil {
					return err
				}
				if _, err := io.WriteString(out, answer.Text); err != nil {
					return fmt.Errorf("write explanation: %w", err)
				}
				if answer.Status != 0 {
					return errRefused
				}
				return nil
			}
		},
	}
}

// explain asks the gateway, or builds the Snapshot itself where the flags name a source.
func (s *source) explain(to plane, c *config.Config, q admin.Question) (*admin.Answer, error) {
	if s.manifests == "" && s.kubeconfig == "" {
		return to.explain(q)
	}
	found, err := s.inspect(s.config(c))
	if err != nil {
		return nil, err
	}
	q.Elsewhere, q.Onion = found.Elsewhere, s.added.onion()
	return admin.Explain(found.Snapshot, q)
}
