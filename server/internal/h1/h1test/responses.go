package h1test

// Responses are those of a faulty or hostile upstream. None may reach a client as if it were
// complete, and no byte of one may be read as the answer to another request.
var Responses = []Response{
	// Status line.
	{Name: "garbage", Raw: "garbage\r\n\r\n"},
	{Name: "nothing", Raw: "", Close: true},
	{Name: "half a status line", Raw: "HTTP/1.1 20", Close: true},
	{Name: "half a head", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", Close: true},
	{Name: "request for response", Raw: "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
	{Name: "leading CR LF", Raw: "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "HTTP/2.0", Raw: "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "HTTP/1.2", Raw: "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "ICY", Raw: "ICY 200 OK\r\n\r\n"},
	{Name: "version in lower case", Raw: "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "two spaces before code", Raw: "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "code of two digits", Raw: "HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "code of four digits", Raw: "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "code below 100", Raw: "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "code with sign", Raw: "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "no code", Raw: "HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "NUL in reason", Raw: "HTTP/1.1 200 O\x00K\r\nContent-Length: 0\r\n\r\n"},
	{Name: "bare CR in reason", Raw: "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n"},
	{Name: "bare LF after reason", Raw: "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"},

	// Field lines.
	{Name: "obs-fold", Raw: "HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 0\r\n\r\n"},
	{Name: "space before colon", Raw: "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"},
	{Name: "no colon", Raw: "HTTP/1.1 200 OK\r\nX\r\nContent-Length: 0\r\n\r\n"},
	{Name: "empty name", Raw: "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n"},
	{Name: "NUL in value", Raw: "HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n"},
	{Name: "bare CR in value", Raw: "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"},
	{Name: "bare LF in value", Raw: "HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"},
	{Name: "head too large", Raw: "HTTP/1.1 200 OK\r\nX: " + repeat("y", MaxHead) + "\r\n\r\n"},
	{Name: "129 fields", Raw: "HTTP/1.1 200 OK\r\n" + repeat("X: y\r\n", MaxFields+1) + "\r\n"},

	// Framing.
	{Name: "CL and TE", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{Name: "two differing CL", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"},
	{Name: "two equal CL", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"},
	{Name: "CL negative", Raw: "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"},
	{Name: "CL not a number", Raw: "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok"},
	{Name: "CL beyond 63 bits", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\n"},
	{Name: "TE gzip", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n"},
	{Name: "TE xchunked", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
	{Name: "TE twice", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{Name: "TE in HTTP/1.0", Raw: "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
	{Name: "100 then garbage", Raw: "HTTP/1.1 100 Continue\r\n\r\ngarbage\r\n\r\n"},

	// Bodies.
	{Name: "body shorter than CL", Raw: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok", Body: true, Close: true},
	{Name: "chunks without end", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", Body: true, Close: true},
	{Name: "last chunk without end", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", Body: true, Close: true},
	{Name: "end inside a chunk", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nok", Body: true, Close: true},
	{Name: "chunk size with 0x", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n", Body: true},
	{Name: "chunk size with space", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nok\r\n0\r\n\r\n", Body: true},
	{Name: "chunk size beyond 63 bits", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nok\r\n0\r\n\r\n", Body: true},
	{Name: "chunk data too long", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\noki\r\n0\r\n\r\n", Body: true},
	{Name: "trailer without colon", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n", Body: true},
	{Name: "trailer with bare LF", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n", Body: true},
	{Name: "trailers without end", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\r\n", Body: true, Close: true},
	{Name: "bare LF after chunk size", Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\r\n0\r\n\r\n", Body: true},
}
