// Package loop is the event loop of the data plane: readiness, timers and a post queue, all served
// by one of netpoll's pollers.
//
// A Loop keeps its own epoll descriptor, on which every socket is registered once, edge-triggered
// for both directions, so that pausing a direction or waiting to write costs no epoll_ctl. That
// descriptor itself is registered on a netpoll poller through netpoll's exported EventLoop: its
// Listener is ours, Fd returns the epoll descriptor, and Accept handles whatever is ready and
// returns no connection. Nothing reaches into netpoll's internals, and none of the behaviours of
// its Connection apply (unbounded reads, blocking Flush, half-close taken for close).
//
// Goroutines: everything but Post runs on the poller's goroutine; whatever a Loop owns needs no
// lock. Handlers must not block: no blocking read, dial, lock or channel operation.
//
// Invariants:
//
//  1. A Handler is never called after its Source was closed, even for events of the same batch:
//     each registration carries a generation.
//  2. A Timer fires at or after its deadline, at most one tick late, on the loop's goroutine.
//  3. Posted functions run in order, each exactly once, or not at all after Close.
//
// Memory: a registered descriptor costs one 24-byte slot; a Timer lives inside its owner.
//
// Read first: Loop, Source, Timer; then TestLoop.
package loop
