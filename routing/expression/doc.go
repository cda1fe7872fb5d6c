// Package expression is every regular expression that somebody else than us has written: those of
// annotations. They are of RE2, so that none takes exponential time, which is not enough: "a{1000}" three
// thousand times over is 21 KB of text and 126 MiB of program, and "(?:.?){1000}" takes milliseconds for each
// byte that it looks at.
//
// Parse looks at a text and counts what its program would have, without making it, and refuses what is too
// large. An Expression is nothing but its text, so that a Snapshot may hold any number of them; a program
// is made when one is first matched, and kept by a Cache of bounded size that the process has one of. An
// input that is too long does not match.
//
//	e, err := expression.Parse(`^(?:CN=web-\d+)`) // once, when an object is read; err says what is too large
//	e.Match("CN=web-7")                           // off the loops: up to a millisecond or so
//
// Goroutines: everything here is safe for concurrent use. Match takes a lock and may compile: it is for the
// goroutines that verify and build, and never for an event loop.
//
// What never happens here: no text is kept beyond the caller's, no input is kept, nothing grows with the
// number of objects.
//
// Read first: Parse, Expression, Cache.
package expression
