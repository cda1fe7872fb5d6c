package h1test

import "strings"

// Limits that the corpus assumes. Cases about limits exceed these; all others stay far below.
const (
	MaxHead   = 64 << 10
	MaxFields = 128
	MaxTarget = 16 << 10
)

// Request is one raw request, or several, as a client sends it.
type Request struct {
	// Name describes the fault (or the remarkable part) in a few words, and is unique.
	Name string
	// Raw is the bytes on the wire.
	Raw string
	// Status is the client's answer: the status that refuses the request, or 200 in Accepted.
	Status int
	// Body means that the head is valid and the fault is in the body's framing, so that an upstream
	// may already have seen the head.
	Body bool
}

// Response is one raw response as an upstream sends it.
type Response struct {
	// Name describes the fault in a few words, and is unique.
	Name string
	// Raw is the bytes on the wire; the upstream closes after it where Close is set.
	Raw string
	// Method is the method of the request answered, GET where empty.
	Method string
	// Body means that the head is valid and the fault is in the body.
	Body bool
	// Close means that the fault shows only when the upstream closes after Raw.
	Close bool
}

// get is a request for / with field lines added before the empty line.
func get(fields string) string { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" }

// post is a chunked POST with the given body.
func post(body string) string {
	return "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body
}

// smuggled is the request that an attacker hides behind a fault.
const smuggled = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"

func repeat(s string, n int) string { return strings.Repeat(s, n) }
