package policy

import "slices"

// KindRequestFields is the Kind of RequestFields.
const KindRequestFields Kind = "request-fields"

// FieldVariables are those that RequestFields may have.
var FieldVariables = append(Variables{"ingress_name", "namespace", "req_id", "service_name", "service_port"}, AuthorityVariables...)

// RequestFields has Backends sent fields, instead of the client's of the same names (proxy-set-headers of ingress-nginx's
// ConfigMap).
type RequestFields struct {
	// Fields are sorted by name, each name once, in any case. One whose value is "" is not sent.
	Fields []FieldTemplate
}

// FieldTemplate is a field whose value, as ParseTemplate takes it, may have FieldVariables.
type FieldTemplate struct{ Name, Value string }

// Kind implements Filter.
func (*RequestFields) Kind() Kind { return KindRequestFields }

// Equal implements Filter.
func (r *RequestFields) Equal(f Filter) bool {
	return slices.Equal(r.Fields, f.(*RequestFields).Fields)
}

// AppendText implements Filter.
func (r *RequestFields) AppendText(b []byte) []byte {
	for i, f := range r.Fields {
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, Word(f.Name)...), '='), Word(f.Value)...)
	}
	return b
}
