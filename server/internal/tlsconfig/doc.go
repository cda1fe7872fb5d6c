// Package tlsconfig makes the *tls.Config values that handshakes with clients run on, one for each TLS
// policy. Those with Endpoints are routing.BackendTLS's.
//
// A handshake with a client calls back here with its ClientHello. The name in it is normalised and
// looked up among the Certificates in force, exactly, then as a wildcard, then the default; the
// Policy of the name decides which versions, ciphers and protocols are offered and whether the
// client must have a certificate. A Server keeps no certificate: the next handshake uses the
// Snapshot then in force, and no open connection notices a change.
//
// Goroutines: everything is safe for concurrent use; callbacks run on the handshakes' goroutines.
//
// Invariants:
//
//  1. A session is resumed only for the name and the Policy that it was made under.
//  2. Whatever cannot be verified is refused: client verification without a CA admits no client.
//  3. Ticket keys are random, never leave the process, and are forgotten when their time is over.
//  4. Every cache is bounded.
//
// What never happens here: no file, no socket, no Kubernetes object.
//
// Read first: Server, Policy, Tickets; then TestCertificateChoice.
package tlsconfig
