//go:build go1.26 && !go1.27

package tlsconn

// innerReviewed: what inner says of the fields of a tls.Conn was read in crypto/tls of these versions of Go.
const innerReviewed = true
