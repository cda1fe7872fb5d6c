package secret

import (
	"time"

	"github.com/sluice-gateway/sluice/routing"
)

// clock remembers when the validity of Certificates is to be looked at again.
type clock struct {
	// next is when a Certificate begins or ceases to be valid, or earlier; zero for never. looked is when validity was
	// last looked at.
	next, looked time.Time
}

// due reports whether some Certificate's validity may differ from when it was last looked at; also where the clock was
// set back.
func (c *clock) due(now time.Time) bool {
	return now.Before(c.looked) || !c.next.IsZero() && !now.Before(c.next)
}

// expect lowers next to the next change of a Certificate's validity, if that is earlier.
func (c *clock) expect(certificate *routing.Certificate, now time.Time) {
	if certificate == nil {
		return
	}
	// A Certificate is still good at NotAfter.
	for _, t := range [...]time.Time{certificate.NotBefore, certificate.NotAfter.Add(1)} {
		if t.After(now) && (c.next.IsZero() || t.Before(c.next)) {
			c.next = t
		}
	}
}

// The results of validity.
const (
	before = -1
	valid  = 0
	after  = 1
)

// validity tells whether a time is before, in or after the life of a Certificate.
func validity(c *routing.Certificate, now time.Time) int {
	switch {
	case now.Before(c.NotBefore):
		return before
	case now.After(c.NotAfter):
		return after
	}
	return valid
}
