package admin

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/policy"
)

// Question is a request whose way through the gateway is to be explained.
type Question struct {
	Method string
	// URL has a host and a path; the scheme may be left out, and is http then. Host, if set, replaces its
	// host, as a Host header would: the server name that a TLS client asks for stays the URL's.
	URL, Host string
	// All has the text list every Endpoint, rather than the first few.
	All bool
	// Live means that the Snapshot is a running gateway's, for which names are resolved: a Backend whose
	// name has no address answers 503. In other Snapshots the addresses are unknown.
	Live bool
	// Everywhere are the names of the filters that are in front of every Route, outside all others.
	Everywhere []string
	// Onion has the places of the filters, from the outside in.
	Onion policy.Onion
	// Elsewhere names, in lines, the other controllers' Ingresses of a host; nil where they are not known.
	Elsewhere func(host string) []string
}

// secure reports whether the request comes over TLS.
func (q *Question) secure() bool { return strings.HasPrefix(q.URL, "https://") }

// maxListed bounds the Endpoints that the text lists; a Service may have thousands.
const maxListed = 10

// Answer is the way of a request through the gateway, and why. The text is for people, the rest for programs.
type Answer struct {
	Generation uint64     `json:"generation"`
	Status     int        `json:"status"` // what the gateway itself would answer; 0 when it forwards
	Route      *RouteView `json:"route,omitempty"`
	Backend    *Backend   `json:"backend,omitempty"`
	Text       string     `json:"text"`
}

// Explain follows a request through s. It fails when the question is not a request at all.
func Explain(s *routing.Snapshot, q Question) (*Answer, error) {
	raw := q.URL
	if !strings.Contains(raw, "://") {
		raw = "http://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("parse URL: %w", err)
	}
	if q.Host == "" {
		q.Host = u.Host
	}
	if q.Method == "" {
		q.Method = "GET"
	}
	host, ok := routing.NormalizeHost(nil, []byte(q.Host))
	if !ok {
		return nil, fmt.Errorf("host %q: not a host name or address; the gateway would answer 400", q.Host)
	}
	path, ok := routing.NormalizePath(nil, []byte(u.EscapedPath()))
	if !ok {
		return nil, fmt.Errorf("path %q: malformed, or it leaves the root; the gateway would answer 400", u.EscapedPath())
	}
	if s == nil {
		return &Answer{Status: 503, Text: "no Snapshot is live yet: 503\n"}, nil
	}
	a := &Answer{Generation: s.Generation}
	var b strings.Builder
	fmt.Fprintf(&b, "method   %s\n", policy.Word(q.Method))
	secure, name := u.Scheme == "https", u.Hostname()
	if !secure || a.describeHandshake(&b, s, name, q) {
		e := s.Table.Explain(host, path)
		b.WriteString(strings.TrimRight(e.String(), "\n") + "\n")
		a.describe(&b, s, e.Route, q)
		if e.Route != nil && a.Status == 0 {
			a.describeRefusal(&b, s, e.Route, secure, name)
		}
	}
	if q.Elsewhere != nil {
		for _, line := range q.Elsewhere(string(host)) {
			b.WriteString("note     " + line + "\n")
		}
	}
	a.Text = b.String()
	return a, nil
}

// describe adds the consequences of the Route: its policy, Backend and Endpoints.
func (a *Answer) describe(b *strings.Builder, s *routing.Snapshot, r *routing.Route, q Question) {
	if r == nil {
		a.Status = 404
		b.WriteString("answer   404, no route\n")
		return
	}
	view := viewRoute(s, r)
	a.Route = &view
	if r.Source != nil {
		created := ""
		if r.Source.Created > 0 { // manifests rarely have it
			created = ", created " + time.Unix(r.Source.Created, 0).UTC().Format(time.RFC3339)
		}
		fmt.Fprintf(b, "ingress  %s%s\n", policy.Word(r.Source.Ingress.String()), created)
		for line := range r.Source.Policy.Asks() {
			b.WriteString("policy   " + line + "\n")
		}
		for _, name := range q.Everywhere {
			fmt.Fprintf(b, "filter   every route: %s\n", policy.Word(name))
		}
		for _, l := range q.Onion.Layers(r.Source.Policy) {
			fmt.Fprintf(b, "filter   %s: %s\n", cmp.Or(string(l.Stage), "no stage"), policy.Line(l.Filter))
		}
	}
	if r.Source != nil && r.Source.Policy != nil && r.Source.Policy.Closed != "" {
		a.Status = 503
		b.WriteString("answer   503, every path of the object is closed\n")
		return
	}
	split := r.Split()
	if split != nil {
		fmt.Fprintf(b, "split    %s\n", s.DescribeSplit(split))
	}
	backend := s.Backend(r)
	if backend != nil && backend.Secure != 0 && q.secure() {
		backend = s.BackendAt(backend.Secure - 1)
	}
	if backend == nil {
		a.Status = 503
		b.WriteString("answer   503, the Service of this path does not exist or was refused\n")
		return
	}
	shown := viewBackend(backend)
	a.Backend = &shown
	fmt.Fprintf(b, "backend  %s %s, balanced %s\n", policy.Word(backend.Key.String()), backend.Protocol, backend.Balance)
	for _, text := range backend.Resilience.Lines() {
		b.WriteString("         " + text + "\n")
	}
	a.describeEndpoints(b, backend, q)
	if split != nil {
		a.describeShares(b, s, split, q)
	}
}

// describeShares adds the Backends of a Split behind the Route's own, which alone decides about the answer.
func (a *Answer) describeShares(b *strings.Builder, s *routing.Snapshot, split *routing.Split, q Question) {
	for _, share := range split.Shares[1:] {
		backend := s.BackendAt(share.Backend)
		switch {
		case backend == nil:
			continue
		case len(backend.Endpoints) == 0 && backend.ExternalName == "" && split.Canary:
			fmt.Fprintf(b, "canary   %s has no endpoint that is ready, and is left out\n", policy.Word(backend.Key.String()))
			continue
		}
		word := "share"
		if split.Canary {
			word = "canary"
		}
		fmt.Fprintf(b, "%-8s %s %s, balanced %s\n", word, policy.Word(backend.Key.String()), backend.Protocol, backend.Balance)
		status := a.Status
		a.describeEndpoints(b, backend, q)
		a.Status = status
	}
}

func (a *Answer) describeEndpoints(b *strings.Builder, backend *routing.Backend, q Question) {
	if backend.ExternalName != "" && len(backend.Endpoints) == 0 {
		fmt.Fprintf(b, "external name %s port %d\n", policy.Word(backend.ExternalName), backend.ExternalPort)
		if !q.Live {
			return
		}
		a.Status = 503
		b.WriteString("answer   503, the name has no address, or is not resolved yet\n")
		return
	}
	if len(backend.Endpoints) == 0 {
		a.Status = 503
		b.WriteString("answer   503, no endpoint is ready\n")
	}
	for i, e := range backend.Endpoints {
		if i == maxListed && !q.All {
			fmt.Fprintf(b, "         and %d more endpoints; --all lists them\n", len(backend.Endpoints)-i)
			break
		}
		fmt.Fprintf(b, "     *   endpoint %s%s%s\n", e.Addr, labelled(" zone ", e.Zone), labelled(" node ", e.Node))
	}
}

// labelled is label and value, or nothing without a value.
func labelled(label, value string) string {
	if value == "" {
		return ""
	}
	return label + policy.Word(value)
}
