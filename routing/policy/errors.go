package policy

import (
	"slices"
	"strconv"
)

// KindErrors is the Kind of Errors.
const KindErrors Kind = "custom-errors"

// Errors has another Backend answer in place of errors (nginx.ingress.kubernetes.io/custom-http-errors and default-backend), and
// for a Backend that has no Endpoint.
type Errors struct {
	// Statuses are those of the responses that are replaced, from 400 to 599, sorted.
	Statuses []int
	// OwnOnly is true where the Backend's responses stay, and the gateway's own answers alone are replaced.
	OwnOnly bool
	// By is the Backend that answers instead. Without it errors are answered 404.
	By BackendRef
}

// Kind implements Filter.
func (*Errors) Kind() Kind { return KindErrors }

// Equal implements Filter.
func (e *Errors) Equal(f Filter) bool {
	o := f.(*Errors)
	return slices.Equal(e.Statuses, o.Statuses) && e.OwnOnly == o.OwnOnly && e.By == o.By
}

// AppendText implements Filter.
func (e *Errors) AppendText(b []byte) []byte {
	for i, status := range e.Statuses {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(status), 10)
	}
	if e.OwnOnly {
		b = append(b, " of the gateway's own"...)
	}
	if e.By == (BackendRef{}) {
		return append(b, " answered with 404"...)
	}
	if len(e.Statuses) > 0 || e.OwnOnly {
		b = append(b, " and "...)
	}
	return e.By.appendTo(append(b, "no endpoint answered by "...))
}
