package rewrite

import (
	"bytes"
	"unsafe"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// Fields sets fields of what Backends are sent: policy.RequestFields.
type Fields struct {
	fields []field
	slot   int
}

type field struct {
	name string
	text variable.Text
}

// NewFields makes a Fields.
func NewFields(f policy.Filter, e server.Env) (server.Filter, error) {
	all := &Fields{slot: e.Slot}
	for _, f := range f.(*policy.RequestFields).Fields {
		text, err := variable.Parse(f.Value, policy.FieldVariables)
		if err == nil {
			err = policy.ValidField(f.Name, f.Value)
		}
		if err != nil {
			return nil, err
		}
		all.fields = append(all.fields, field{f.Name, text})
	}
	return all, nil
}

// Name implements server.Filter.
func (*Fields) Name() string { return string(policy.KindRequestFields) }

// Request implements server.RequestFilter. All values are made before the first is set: each may name what the client has sent
// under the name of another.
//
// hot: runs per request; no alloc, no lock.
func (f *Fields) Request(x *server.Exchange) server.Verdict {
	s := x.Slot(f.slot)
	b := s.Bytes[:0]
	var room [maxFields + 1]int
	ends := room[:1]
	for i := range f.fields {
		b = f.fields[i].text.Append(b, x)
		ends = append(ends, len(b))
	}
	s.Bytes = b
	for i := range f.fields {
		x.DropRequestField(f.fields[i].name)
		// A variable that is nothing may leave white space at an end, which no value has.
		if value := bytes.Trim(b[ends[i]:ends[i+1]], " \t"); len(value) > 0 {
			x.AddRequestField(f.fields[i].name, unsafe.String(&value[0], len(value))) // which copies it
		}
	}
	return server.Continue
}

// maxFields is how many fields need no memory of their own.
const maxFields = 64
