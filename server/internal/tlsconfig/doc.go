// Package tlsconfig makes the *tls.Config values that handshakes with clients run on, one for each TLS
// policy. Those with Endpoints are routing.BackendTLS's.
//
// A handshake with a client calls back here with its ClientHello. The name in it is normalised and
// looked up among the Certificates in force, exactly, then as a wildcard, then the default; the
// Policy of the name says which versions, ciphers and protocols are offered and whether the client
// must have a certificate. A Server keeps no certificate: what a Snapshot swaps in is used by the
// next handshake, and no open connection notices.
//
// Goroutines: everything is safe for concurrent use; callbacks run on the handshakes' goroutines.
//
// Invariants:
//
//  1. A session is resumed only for the name and the Policy that it was made under.
//  2. What cannot be verified is refused: client verification without a CA lets nobody in.
//  3. Ticket keys are random, never leave the process, and are forgotten when their time is over.
//  4. What is cached is bounded.
//
// What never happens here: no file, no socket, no Kubernetes object.
//
// Read first: Server, Policy, Tickets; then TestCertificateChoice.
package tlsconfig
