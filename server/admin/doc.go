// Package admin shows the process to people, Prometheus and the kubelet: metrics and probes on one
// address, the dashboard, the API and the debugging pages on another. Hertz serves both, over its
// standard-library transport, so that a handler may block and none runs on an event loop.
//
// Hertz's HTTP/1 parser is not strict enough for bytes of strangers, and the metrics address faces
// the cluster. So a guard stands before it: a connection carries one request, whose head must
// arrive within seconds and kilobytes, pass the gateway's own strict codec and be a GET or HEAD without
// a body. Only then does Hertz see it, and it never reads the socket itself.
//
//	accept ─► guard: bounds, strict parse ─► Hertz: route ─► policy: Host, Origin, token ─► handler
//
// A client that only connects cannot keep others out: see seats.go for the order in which
// connections give way.
//
// Goroutines: one per connection, at most maxConns and maxOwn per address. Handlers call the functions in
// Options from these goroutines, at the same time.
//
// Invariants:
//
//  1. Both addresses are bound when Start returns, so a process that fails to bind never is ready.
//  2. Nothing here changes anything: there are only GET and HEAD.
//  3. On the admin address the Host of a request is an IP address or localhost, so that no web page can
//     reach it by pointing a name of its own at it (DNS rebinding), and no Origin but its own is answered.
//  4. On the admin address every request shows the token; on its socket, which only the gateway's user and
//     root can open, none has to. A connection over loopback proves nothing.
//  5. Text from manifests is served as JSON or plain text, never markup: the dashboard is a static
//     page that writes text nodes, under a policy that allows its own script and nothing else.
//
// What never happens here: no file is served from disk, nothing is loaded from elsewhere, no secret
// is shown.
//
// Read first: Options, guard, TestGuard.
package admin
