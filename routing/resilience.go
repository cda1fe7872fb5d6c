package routing

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// Resilience says how a Backend's Endpoints are watched and spared. The zero value of every field stands for the gateway's
// own way. Comparable; times are nanoseconds.
type Resilience struct {
	Eject   Ejection
	Breaker Breaker
	Load    Load
	// SlowStart is the time in which an Endpoint that has come, or has come back, grows into its part of the load; 0: at once.
	SlowStart int64
	// RetryPercent bounds the requests that are sent again, of those sent first; negative: none are.
	RetryPercent int32
	// Check asks each Endpoint from time to time whether it is well.
	Check Check
}

// Ejection says when an Endpoint is left out because of how it answers.
type Ejection struct {
	// Failures is how many in a row; negative: never.
	Failures int32
	// ServerErrors is true where answers of 500, 502, 503 and 504 count as failures.
	ServerErrors bool
	// Percent bounds the part of the Endpoints that is left out.
	Percent int32
	// Base is for how long at first, and Max at most.
	Base, Max int64
}

// Breaker says when a Backend is spared all requests but one at a time, because too many of them fail.
type Breaker struct {
	// Percent is the part of the attempts that failed; 0: there is no breaker.
	Percent int32
	// Requests is the least number of attempts that it is judged by.
	Requests int32
	// Base is for how long at first, and Max at most.
	Base, Max int64
}

// Load bounds the requests in flight at a Backend, those of all event loops together.
type Load struct {
	// Requests is how many; 0: unlimited.
	Requests int32
	// Waiting is how many more wait for their turn, and Wait for how long at most.
	Waiting int32
	Wait    int64
}

// CheckKind is what a Check speaks.
type CheckKind uint8

const (
	// NoCheck: Endpoints are not checked.
	NoCheck CheckKind = iota
	// CheckTCP connects, and shakes hands where the Backend speaks TLS.
	CheckTCP
	// CheckHTTP sends GET.
	CheckHTTP
	// CheckGRPC calls grpc.health.v1.Health/Check.
	CheckGRPC
)

// String returns the spelling of the health-check annotation.
func (k CheckKind) String() string { return [...]string{"off", "tcp", "http", "grpc"}[k] }

// Check is an active health check.
type Check struct {
	Kind CheckKind
	// Path and Host are of CheckHTTP, where "" stands for / and for the Endpoint's address. Service is of CheckGRPC.
	Path, Host, Service string
	// Least and Most are the statuses of an Endpoint that is well.
	Least, Most int32
	// Interval is the time between two checks, Timeout that of one.
	Interval, Timeout int64
	// Rise is how many good checks in a row make an Endpoint well again, and Fall how many bad ones make it unwell.
	Rise, Fall int32
}

// Lines is r for people, a line a thing.
func (r *Resilience) Lines() (lines []string) {
	if r == nil {
		return nil
	}
	line := func(parts ...string) { lines = append(lines, strings.Join(parts, "")) }
	number := func(n int32) string { return strconv.Itoa(int(n)) }
	span := func(n int64) string { return time.Duration(n).String() }
	e := &r.Eject
	switch {
	case e.Failures < 0:
		line("eject never")
	case e.Failures > 0:
		line("eject after ", number(e.Failures), " failures in a row")
	}
	if e.ServerErrors {
		line("answers of 500, 502, 503 and 504 are failures")
	}
	if e.Percent != 0 {
		line("eject at most ", number(e.Percent), " percent")
	}
	if e.Base != 0 {
		line("eject for ", span(e.Base), " at first")
	}
	if e.Max != 0 {
		line("eject for ", span(e.Max), " at most")
	}
	if b := &r.Breaker; b.Percent != 0 {
		line("break at ", number(b.Percent), " percent failures of ", number(b.Requests), " requests, for ", span(b.Base), " to ", span(b.Max))
	}
	if l := &r.Load; l.Requests != 0 {
		line("requests at most ", number(l.Requests), ", waiting at most ", number(l.Waiting), " for ", span(l.Wait))
	}
	if r.SlowStart != 0 {
		line("slow start ", span(r.SlowStart))
	}
	switch {
	case r.RetryPercent < 0:
		line("no retries of what was sent")
	case r.RetryPercent > 0:
		line("retries at most ", number(r.RetryPercent), " percent")
	}
	if c := &r.Check; c.Kind != NoCheck {
		what := c.Kind.String()
		switch c.Kind {
		case CheckHTTP:
			what += " " + policy.Word(c.Path) + " host " + policy.Word(c.Host) + " status " + number(c.Least) + "-" + number(c.Most)
		case CheckGRPC:
			what += " service " + policy.Word(c.Service)
		}
		line("check ", what, " every ", span(c.Interval), " within ", span(c.Timeout), ", up after ", number(c.Rise), ", down after ", number(c.Fall))
	}
	return lines
}
