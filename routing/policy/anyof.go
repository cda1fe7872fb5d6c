package policy

// KindAnyOf is the Kind of AnyOf.
const KindAnyOf Kind = "any-of"

// AnyOf serves a request that one of its conditions is met for (nginx.ingress.kubernetes.io/satisfy: any). It stands in the
// Policy in their place. A condition that is nil is none.
type AnyOf struct {
	Access   *Access
	Basic    *BasicAuth
	JWT      *JWT
	External *External
}

// Kind implements Filter.
func (*AnyOf) Kind() Kind { return KindAnyOf }

// Conditions returns those that there are, in the order in which they are asked.
func (a *AnyOf) Conditions() (list []Filter) {
	if a.Access != nil {
		list = append(list, a.Access)
	}
	if a.Basic != nil {
		list = append(list, a.Basic)
	}
	if a.JWT != nil {
		list = append(list, a.JWT)
	}
	if a.External != nil {
		list = append(list, a.External)
	}
	return list
}

// Equal implements Filter.
func (a *AnyOf) Equal(f Filter) bool {
	p, o := Policy{Filters: a.Conditions()}, Policy{Filters: f.(*AnyOf).Conditions()}
	return p.Equal(&o)
}

// AppendText implements Filter.
func (a *AnyOf) AppendText(b []byte) []byte {
	for i, f := range a.Conditions() {
		if i > 0 {
			b = append(b, " or "...)
		}
		b = f.AppendText(append(append(b, f.Kind()...), ' '))
	}
	return b
}
