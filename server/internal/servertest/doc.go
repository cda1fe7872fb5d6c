// Package servertest has the peers of a gateway under test: Backends that do as they are told, clients that see every
// byte, certificates, and waits. Tests of the layers of server call it, each from its own goroutines. The gateway itself
// is not here, for package server's tests are inside that package: newGateway and what asks it are in gateway_test.go.
//
// Backends return their address, and end with the test:
//
//	Backend           a handler of net/http, HTTP/1.1
//	StartBackend      a handler of net/http, HTTP/1.1 and HTTP/2, over TLS if so told
//	EchoBackend       returns the body of a request
//	EndlessBackend    a body without an end for /endless; /wait... never ends
//	FieldsBackend     says what it is told of a client's certificate
//	RecordingBackend  keeps the field lines of requests, of each protocol; NextSeen, HasField
//	RawBackend        gives each connection to a function, as a Wire
//	ScriptedBackend   the same bytes for each request
//	FaultyBackend     misbehaves for /bad, and is well for everything else
//	UpgradedBackend   a WebSocket's end, such as Echo
//	RawHTTP2Backend   gives each connection to a function, as frames
//	BehindHello       what follows a ClientHello that is passed on
//	Endpoints         each connection or stream becomes a Party, on any protocol
//	Refusing          an address at which connections are refused
//	FullListener      an address at which they do not come about
//	FreeAddr          an address for another program
//
// Clients:
//
//	Wire              HTTP/1 as text: Send, Get, ReadAnswer, WantClosed
//	RawHTTP2          HTTP/2 as frames: DialHTTP2, Request, AwaitEnd
//	HTTP1Client       net/http's; HTTP2Client the same by HTTP/2
//	Pairings          every protocol of a client with every one of a Backend; Downs are the clients' alone
//	Party             a client or an Endpoint, on a connection or a stream, that reads when it is told to and ends in
//	                  every way there is: Ask, Accept, Fin, Reset, Leave. Kinds are a client's ways to speak
//	ClientHello       the first bytes of a client of TLS
//	PushUntilFull     writes until its peer takes no more
//
// And besides:
//
//	Authority         signs certificates: Server, Client, Below, Pool
//	Targets           a list of what a Backend was asked for
//	OKResponse        a response as text; Target, Pattern, NewAnswer
//	WantNoAllocations counts what a request allocates
//	Until             waits for a condition that no peer can see, at most Timeout
//	Retry             plays again what a slow machine may spoil, with a longer timeout; Took judges one
//	EveryTick         calls a function regularly: a peer that trickles
//
// A wait that fails the test lasts Timeout, which is long, for a machine may be slow; Short is for timeouts of the
// gateway that the test wants to see pass. Nothing here may import package server.
package servertest
