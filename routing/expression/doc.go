// Package expression has every regular expression that a user wrote: those of annotations. They are RE2's, so
// none takes exponential time, which is not enough: "a{1000}" three thousand times over is 21 KB of text and
// 126 MiB of program, and "(?:.?){1000}" takes milliseconds for each byte of input.
//
// Parse counts the size of a text's program without making it, and refuses what is too large. An
// Expression is nothing but its text, so that a Snapshot may hold any number of them; a program is made at
// its first match, and kept in the process's one Cache, whose size is bounded. An input that is too long
// does not match.
//
//	e, err := expression.Parse(`^(?:CN=web-\d+)`) // once, when an object is read; err says what is too large
//	e.Match("CN=web-7")                           // off the loops: up to a millisecond or so
//
// Paths are matched on the loops, by Patterns: read by the rules of ingress-nginx, compiled once, when a Host is built, and
// run by a Matcher, which neither locks nor allocates. It remembers which ways have failed at which byte, so that the work
// is at most the program's forks times the path's bytes, and it stops after a number of steps for all Patterns of a
// request together. ParsePattern names what PCRE has and RE2 has not, and gives what stands for such a text:
// a Pattern that matches more.
//
//	p, err := expression.ParsePattern(`/orders(/|$)(.*)`)
//	m := expression.NewMatcher() // for one request
//	p.MatchAll(m, path); m.Exhausted(); p.Captures(m, path); m.Group(2); m.Release()
//
// Goroutines: everything here is safe for concurrent use, but for a Matcher, which is one goroutine's. Expression.Match takes a
// lock and may compile: it is for the goroutines that verify and build, and never for an event loop.
//
// What never happens here: no text is kept beyond the caller's, no input is kept, nothing grows with the
// number of objects.
//
// Read first: Parse, Pattern, Matcher.
package expression
