// Package h1test is a corpus of raw HTTP/1.1 messages, malformed and well-formed, with the outcome
// that RFC 9110, RFC 9112 and the gateway's own limits demand.
//
// Tests call it: those of package h1 against the codec, those of the server over sockets against
// the whole gateway, so that neither can be stricter or laxer than the other. It imports only strings
// and holds only data; nothing may change it.
//
// Over a socket a refused request gets exactly one answer, with Status, and then the connection is
// closed; the bytes behind the fault, in many cases a smuggled second request, are never answered.
// A refused response gives the client 502 when the fault is in the head, and a cut connection when
// it is in a body whose head has been passed on.
//
// Read first: Requests.
package h1test
