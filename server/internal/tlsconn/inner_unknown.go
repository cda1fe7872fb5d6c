//go:build !go1.26 || go1.27

package tlsconn

// innerReviewed: see inner_reviewed.go. Read conn.go, handshake_server.go and handshake_server_tls13.go of crypto/tls for each
// field of inner before a version is added there.
const innerReviewed = false
