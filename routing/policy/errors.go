package policy

import (
	"slices"
	"strconv"
)

// KindErrors is the Kind of Errors.
const KindErrors Kind = "custom-errors"

// Errors has another Backend answer in place of errors (nginx.ingress.kubernetes.io/custom-http-errors).
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
	return e.By.appendTo(append(b, " answered by "...))
}

// KindFallback is the Kind of Fallback.
const KindFallback Kind = "default-backend"

// Fallback has another Backend asked where the Route's has no Endpoint (nginx.ingress.kubernetes.io/default-backend).
type Fallback struct{ By BackendRef }

// Kind implements Filter.
func (*Fallback) Kind() Kind { return KindFallback }

// Equal implements Filter.
func (f *Fallback) Equal(o Filter) bool { return *f == *o.(*Fallback) }

// AppendText implements Filter.
func (f *Fallback) AppendText(b []byte) []byte {
	return f.By.appendTo(append(b, "without an endpoint "...))
}
