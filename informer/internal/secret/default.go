package secret

import "time"

// The default certificate comes from a Secret that the configuration names, and is parsed and kept as others are. Its
// faults belong to the Secret itself, because no Ingress refers to it.

// refreshDefault reads the default certificate again where it must, and reports whether it changed.
func (s *Set) refreshDefault(now time.Time) (changed bool) {
	p := s.fallback
	if p == nil {
		return false
	}
	was := p.live
	if !p.parsed {
		name := s.opts.Default
		p.parse(name, s.objects[name], s.credentials.named[name].absence(name, s.opts.OnDemand))
	}
	if changed = p.live != was; changed {
		s.clock.expect(p.live, now)
	}
	return changed
}

// defaultFaults returns the faults of the default certificate.
func (s *Set) defaultFaults(now time.Time) (list []string) {
	p := s.fallback
	if p == nil {
		return nil
	}
	const about = "this is the default certificate: "
	switch {
	case p.fault != "" && p.live != nil:
		list = append(list, about+p.fault+keptServed)
	case p.fault != "":
		list = append(list, about+p.fault+"; there is none")
	}
	if p.live != nil {
		if reason := objection(p.live, now); reason != "" {
			list = append(list, about+reason)
		}
	}
	return list
}
