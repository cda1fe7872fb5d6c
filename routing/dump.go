package routing

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Dump writes what s serves as text: one line a thing, its parts indented below it, everything
// sorted. Equal configurations give equal text, whatever the history that led to them: neither the
// Generation nor the indexes of Backends appear. It is the text of /debug/routes and of the goldens.
//
//	default -> shop/fallback:80 ingress shop/default
//	host shop.example
//	  client certificates on roots shop/ca depth 1 id 5f3ac01b
//	  Exact /cart -> shop/cart:80 ingress shop/web
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
	backends := slices.DeleteFunc(slices.Clone(s.Backends), func(b *Backend) bool { return b == nil })
	slices.SortFunc(backends, func(a, b *Backend) int { return strings.Compare(a.Key.String(), b.Key.String()) })
	for _, b := range backends {
		fmt.Fprintf(out, "backend %s %s %s", plain(b.Key.String()), b.Protocol, b.Balance)
		if b.ExternalName != "" {
			fmt.Fprintf(out, " external %s:%d", plain(b.ExternalName), b.ExternalPort)
		}
		out.WriteByte('\n')
		if b.TLS != nil {
			fmt.Fprintf(out, "  tls %s\n", b.TLS)
		}
		for i, e := range b.Endpoints {
			fmt.Fprintf(out, "  endpoint %s", e.Addr)
			if i < len(b.Twins) && b.Twins[i] >= 0 {
				fmt.Fprintf(out, " twin %s", b.Endpoints[b.Twins[i]].Addr.Addr())
			}
			if e.Zone != "" {
				fmt.Fprintf(out, " zone %s", plain(e.Zone))
			}
			if e.Node != "" {
				fmt.Fprintf(out, " node %s", plain(e.Node))
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

// backendName names the Backend of r, or says that there is none and requests get 503.
func (s *Snapshot) backendName(r *Route) string {
	if b := s.Backend(r); b != nil {
		return plain(b.Key.String())
	}
	return "none (503)"
}

// describe is "Prefix /path", or "default" for a default backend.
func (r *Route) describe() string {
	if r.Default {
		return "default"
	}
	return r.Type.String() + " " + plain(r.Spelling())
}

// origin is " ingress namespace/name", or nothing where the Route has no object.
func (r *Route) origin() string {
	if r.Source == nil {
		return ""
	}
	return " ingress " + plain(r.Source.Ingress.String())
}

// displayHost is the name of a Host for people: the catch-all, whose name is empty, is "*".
func displayHost(name string) string {
	if name == "" {
		return "*"
	}
	return plain(name)
}

// plain returns s where it is one visible word, and quotes it otherwise: names and paths come from
// manifests and requests, and must not be able to forge a line.
func plain(s string) string {
	if s != "" && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return r == '"' || r == ' ' || !strconv.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}
