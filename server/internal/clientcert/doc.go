// Package clientcert holds the certificate that a client has shown on a TLS connection, the result of verifying it by the
// rules of the Host that the connection was opened for, and the field lines that tell a Backend of both.
//
// A handshake fills a Cert in, on a goroutine of its own, because to verify signatures would hold up a loop; requests are
// judged on the loop. Strangers write certificates: the parts that go to Backends are bounded and cleaned of control bytes,
// and a panic of the verifier makes a certificate a bad one.
package clientcert
