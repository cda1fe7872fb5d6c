// Package clientcert keeps what a client has shown of itself on a TLS connection: its certificate, the verdict on it by the
// rules of the Host that the connection was opened for, and the field lines that tell a Backend of both.
//
// A handshake fills a Cert in, on its own goroutine, because verifying signatures is no work for a loop; requests are judged on
// the loop. Everything in a certificate was written by a stranger: what is passed on is bounded and cleaned of control bytes,
// and a verifier that panics has found a bad certificate.
package clientcert
