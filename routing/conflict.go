package routing

import "fmt"

// Conflict records that two Routes asked for the same Host, path and type, which of them is served and
// why. The older object wins, so that no object added later takes a path over; among equally old ones
// the lexically smaller namespace/name; within one object the longer path ("/a/"), and of equal ones
// the Route listed first.
type Conflict struct {
	Host string
	// Path and Type are those of the Route that lost, as configured.
	Path string
	Type PathType
	// WinnerPath and WinnerType are those of the Route that is served; they may be spelt differently
	// ("/a/" and "/a").
	WinnerPath string
	WinnerType PathType
	// Winner and Loser may be the same object, and nil for Routes without one.
	Winner, Loser *Source
	// Default is true when both are default backends, which have no path.
	Default bool
}

// newConflict reports false where nothing is lost: the same object asks twice for the same Backend,
// or its default backend gives way to a written path.
func newConflict(host string, winner, loser *Route) (Conflict, bool) {
	if winner.Default != loser.Default || winner.Source == loser.Source && winner.Backend == loser.Backend {
		return Conflict{}, false
	}
	return Conflict{
		Host: host, Path: loser.Path, Type: loser.Type,
		WinnerPath: winner.Path, WinnerType: winner.Type,
		Winner: winner.Source, Loser: loser.Source,
		Default: winner.Default,
	}, true
}

// Reason gives, as a clause, why the winner won.
func (c Conflict) Reason() string {
	if c.Winner == c.Loser && len(c.WinnerPath) > len(c.Path) {
		return "it is the longer one of the same object"
	}
	return c.Winner.WinsOver(c.Loser)
}

// Error states what is not served, what is instead, why, and the remedy. Conflict is an error so
// that a Rejection can wrap it.
func (c Conflict) Error() string {
	host := c.Host
	if host == "" {
		host = "any host"
	}
	if c.Default {
		return fmt.Sprintf("default backend of %s for %s is not used: that of %s wins because %s; keep only one of the two",
			c.Loser.name(), host, c.Winner.name(), c.Reason())
	}
	return fmt.Sprintf("%s path %q of %s on %s is not served: %s path %q of %s matches the same requests and wins because %s; remove or change one of the two",
		c.Type, c.Path, c.Loser.name(), host, c.WinnerType, c.WinnerPath, c.Winner.name(), c.Reason())
}

// String returns Error.
func (c Conflict) String() string { return c.Error() }
