package secret

import (
	"cmp"
	"iter"
	"slices"

	"github.com/sluice-gateway/sluice/routing"
)

// References are what one Ingress refers to. The zero value: nothing. Not edited once a Set has them.
type References struct {
	// Created is the age of the Ingress, as in routing.Source.
	Created int64
	// Sections are those of spec.tls that name a Secret.
	Sections []Section
	// Credentials are the Secrets that its annotations name, whether they exist or not, each once.
	Credentials []routing.ObjectName
}

// Section is one element of an Ingress's spec.tls, which names a Secret.
type Section struct {
	// Position is the section's index in spec.tls, and Secret the object.
	Position int
	Secret   routing.ObjectName
	// Hosts are the listed ones, as Host.Name spells them, sorted, each once.
	Hosts []string
	// Implied are the hosts of the object's rules that no section lists. Every section stands for them too, as far as
	// its certificate is good for them: ingress-nginx does so, and a section without hosts has no other meaning.
	Implied []string
}

func (s Section) same(o Section) bool {
	return s.Position == o.Position && s.Secret == o.Secret && slices.Equal(s.Hosts, o.Hosts) && slices.Equal(s.Implied, o.Implied)
}

// claim is one name of a section.
type claim struct {
	// source has only the name and the age of the object.
	source routing.Source
	secret routing.ObjectName
	// section is the position in spec.tls, and listed is true where the section lists the name.
	section int
	listed  bool
}

// compare sorts claims by precedence, the best first.
func (c claim) compare(o claim) int {
	return cmp.Or(c.source.Compare(&o.source), cmp.Compare(c.section, o.section))
}

// claims yields the names that the sections claim for their Ingress.
func (r References) claims(ingress routing.ObjectName) iter.Seq2[string, claim] {
	return r.claimsWhere(ingress, func(Section) bool { return true })
}

// claimsOf is claims for the sections that name one Secret.
func (r References) claimsOf(ingress, secret routing.ObjectName) iter.Seq2[string, claim] {
	return r.claimsWhere(ingress, func(s Section) bool { return s.Secret == secret })
}

func (r References) claimsWhere(ingress routing.ObjectName, wanted func(Section) bool) iter.Seq2[string, claim] {
	return func(yield func(string, claim) bool) {
		for _, section := range r.Sections {
			if !wanted(section) {
				continue
			}
			for name, c := range section.claims(routing.Source{Ingress: ingress, Created: r.Created}) {
				if !yield(name, c) {
					return
				}
			}
		}
	}
}

// claims yields the names that the section claims for its object, whose name and age are in by.
func (s Section) claims(by routing.Source) iter.Seq2[string, claim] {
	return func(yield func(string, claim) bool) {
		c := claim{source: by, secret: s.Secret, section: s.Position, listed: true}
		for _, name := range s.Hosts {
			if !yield(name, c) {
				return
			}
		}
		c.listed = false
		for _, name := range s.Implied {
			if !yield(name, c) {
				return
			}
		}
	}
}
