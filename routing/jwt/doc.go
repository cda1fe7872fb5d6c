// Package jwt verifies JSON Web Tokens (RFC 7519) that are signed with a private key, and says what their claims are.
//
// Verify takes a token, the Keys of who signs, and Rules; it returns Claims, or a Fault in words of this package, which may be
// told to a client. Keys come from a JSON Web Key Set (RFC 7517), wherever its text is from.
//
// Invariants:
//
//  1. An algorithm is taken only where Algorithms has it: none is not, nor is any with a secret that both sides know, so that
//     nobody can sign with a public key. A key is used with algorithms of its own type alone, and of the one that it names.
//  2. Nothing in a token decides which key it is verified with, but a kid, which names one of Keys.
//  3. A token without an end is not taken.
//  4. What is read is bounded: tokens, sets of keys, keys of a set, bits of a key, and how many keys one token is tried with.
//
// What never happens here: nothing is fetched, logged or printed, and no request is known.
//
// Goroutines: all types are immutable once made.
//
// Read first: Verify, Rules, Claims; then TestRefused.
package jwt
