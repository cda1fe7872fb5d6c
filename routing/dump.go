package routing

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Dump writes what s serves as text: one line a thing, its parts indented below it, everything
// sorted. Equal configurations give equal text, whatever the history that led to them: neither the
// Generation nor the indexes of Backends appear. It is the text of /debug/routes and of the goldens.
//
//	default -> shop/fallback:80 ingress shop/default
//	host shop.example
//	  client certificates on roots shop/ca depth 1 id 5f3ac01b
//	  Exact /cart -> shop/cart:80 ingress shop/web
//	  Prefix / -> shop/web:80 weight 90, canary shop/next:80 weight 10 ingress shop/web
//	ingress shop/web
//	  request body at most 8388608 bytes
//	backend shop/cart:80 HTTP round_robin
//	  endpoint 10.0.0.7:8080 zone a node n1
//	backend shop/pay:443#HTTPS HTTPS round_robin
//	  tls verify pay.shop.svc depth 1 roots shop/pay-ca SNI pay.shop.svc
//	certificate shop/web-tls ECDSA P-256 until 2027-01-31T12:00:00Z
//	  host shop.example
func (s *Snapshot) Dump(w io.Writer) error {
	out := bufio.NewWriter(w)
	if s != nil {
		s.dump(out)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write snapshot: %w", err)
	}
	return nil
}

func (s *Snapshot) dump(out *bufio.Writer) {
	line := func(indent string, r *Route) {
		fmt.Fprintf(out, "%s%s -> %s%s\n", indent, r.describe(), s.backendName(r), r.origin())
	}
	if r := s.Table.Default(); r != nil {
		line("", r)
	}
	for h := range s.Table.Hosts() {
		fmt.Fprintf(out, "host %s\n", displayHost(h.Name()))
		if t := h.TLS(); t != nil {
			s.dumpTLS(out, t)
		}
		for r := range h.Routes() {
			line("  ", r)
		}
	}
	for _, text := range s.objects() {
		out.WriteString(text)
	}
	backends := slices.DeleteFunc(slices.Clone(s.Backends), func(b *Backend) bool { return b == nil })
	slices.SortFunc(backends, func(a, b *Backend) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	for _, b := range backends {
		fmt.Fprintf(out, "backend %s %s %s", policy.Word(b.Key.String()), b.Protocol, b.Balance)
		if b.ExternalName != "" {
			fmt.Fprintf(out, " external %s:%d", policy.Word(b.ExternalName), b.ExternalPort)
		}
		if b.Secure != 0 {
			fmt.Fprintf(out, " over TLS %s", s.backendName(&Route{Backend: b.Secure - 1}))
		}
		out.WriteByte('\n')
		if b.TLS != nil {
			fmt.Fprintf(out, "  tls %s\n", b.TLS)
		}
		for _, text := range b.Resilience.Lines() {
			fmt.Fprintf(out, "  %s\n", text)
		}
		for i, e := range b.Endpoints {
			fmt.Fprintf(out, "  endpoint %s", e.Addr)
			if i < len(b.Twins) && b.Twins[i] >= 0 {
				fmt.Fprintf(out, " twin %s", b.Endpoints[b.Twins[i]].Addr.Addr())
			}
			if e.Zone != "" {
				fmt.Fprintf(out, " zone %s", policy.Word(e.Zone))
			}
			if e.Node != "" {
				fmt.Fprintf(out, " node %s", policy.Word(e.Node))
			}
			out.WriteByte('\n')
		}
	}
	names := make(map[*Certificate][]string)
	for name, list := range s.ServerNames.All() {
		for _, c := range list {
			names[c] = append(names[c], name)
		}
	}
	for _, c := range s.Certificates {
		fmt.Fprintf(out, "certificate %s\n", c)
		for _, name := range names[c] {
			fmt.Fprintf(out, "  host %s\n", displayHost(name))
		}
	}
	if c := s.DefaultCertificate; c != nil {
		fmt.Fprintf(out, "default certificate %s\n", c)
	}
}

// objects returns, sorted, the Policies of the objects that have one: once for each object, however many Routes it
// has.
func (s *Snapshot) objects() (texts []string) {
	type object struct {
		name      ObjectName
		policy    *policy.Policy
		anonymous bool
	}
	seen := make(map[object]struct{})
	note := func(r *Route) {
		if r == nil || r.Source == nil || r.Source.Policy.Empty() && !r.Anonymous {
			return
		}
		o := object{r.Source.Ingress, r.Source.Policy, r.Anonymous}
		if _, known := seen[o]; known {
			return
		}
		seen[o] = struct{}{}
		var b strings.Builder
		fmt.Fprintf(&b, "ingress %s\n", policy.Word(o.name.String()))
		if o.anonymous {
			b.WriteString("  responses do not say what made them\n")
		}
		for line := range o.policy.Lines() {
			fmt.Fprintf(&b, "  %s\n", line)
		}
		texts = append(texts, b.String())
	}
	note(s.Table.Default())
	for h := range s.Table.Hosts() {
		for r := range h.Routes() {
			note(r)
		}
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

func (s *Snapshot) dumpTLS(out *bufio.Writer, t *HostTLS) {
	if t.Passthrough {
		fmt.Fprintf(out, "  passthrough -> %s\n", s.backendName(&Route{Backend: t.Backend}))
	}
	for i, suite := range t.CipherSuites {
		fmt.Fprintf(out, "%s%s", []string{"  ciphers ", ","}[min(i, 1)], tls.CipherSuiteName(suite))
		if i == len(t.CipherSuites)-1 {
			out.WriteByte('\n')
		}
	}
	if t.ClientAuth != nil {
		fmt.Fprintf(out, "  client certificates %s\n", t.ClientAuth)
	}
}

// backendName names the Backend of r, or reports that there is none, and what requests get instead.
func (s *Snapshot) backendName(r *Route) string {
	if p := r.Split(); p != nil {
		return s.DescribeSplit(p)
	}
	if b := s.Backend(r); b != nil {
		return policy.Word(b.Key.String())
	}
	if r.Source != nil && r.Source.Policy.Filter(policy.KindRedirect) != nil && r.Source.Policy.Closed == "" {
		return "none (redirect)"
	}
	switch r.Backend {
	case Elsewhere:
		return "the default"
	case Forbidden:
		return "none (403)"
	}
	return "none (503)"
}

// describe is "Prefix /path", or "default" for a default backend.
func (r *Route) describe() string {
	if r.Default {
		return "default"
	}
	return r.Type.String() + " " + policy.Word(r.Spelling())
}

// origin is " ingress namespace/name", or nothing where the Route has no object.
func (r *Route) origin() string {
	if r.Source == nil {
		return ""
	}
	return " ingress " + policy.Word(r.Source.Ingress.String())
}

// displayHost is the name of a Host for people: the catch-all, whose name is empty, is "*".
func displayHost(name string) string {
	if name == "" {
		return "*"
	}
	return policy.Word(name)
}
