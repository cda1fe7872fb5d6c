package loop

import (
	"fmt"
	"net"
	"sync"
	"sync/atomic"

	"github.com/cloudwego/netpoll"
)

// linger is how long a Loop that has just been busy waits on its own epoll descriptor, in
// milliseconds, before it gives the poller back. Giving it back at once costs three more system calls
// a wake-up (an empty poll of ours, one of netpoll's, and its blocking one), which nginx and HAProxy
// do not make. An idle Loop waits in netpoll.
const linger = 50

// hold is how long, in milliseconds, a Loop that has just been busy waits without telling Go's scheduler. To tell it costs
// more than the call: where there are as many loops as processors none is idle, so that the runtime's monitor takes the
// processor of each loop that waits for 20 us or more, looks every 20 us for the next one, and the loop has to get one back
// when its events come. A busy loop never waits for longer than this; one that does is idle, and its processor is free.
//
// Others do not wait for a loop that holds on. To stop the world the runtime signals the thread, which ends the wait. And a
// loop that is never idle lets others have its processor every yieldEvery nanoseconds, which costs 200 ns where there are
// none: without that they would wait for the runtime to preempt the loop, 10 ms each time. A loop that awaits a result of a
// goroutine does not hold on (Await).
//
// On one core, least of 7 interleaved rounds: small responses 0.97, 16 KiB bodies 0.95 of the CPU without it. At 15,000
// requests a second both take the same (8 rounds), although the monitor's thread took 10 % of it and now takes none.
const (
	hold       = 1
	yieldEvery = int64(1e6)
)

// A Loop lingers only while no other Loop can be on its poller. netpoll deals its pollers out in turn,
// so n Loops on n pollers have one each.
//
// pollers is the number that the latest Server asked for. started counts netpoll's: it never has fewer again,
// for the pollers that go would take the Loops of other Servers with them.
var (
	pollers, serving atomic.Int32
	configure        sync.Mutex
	started          int // guarded by configure
)

func alone() bool { return serving.Load() <= pollers.Load() }

// Pollers has netpoll run n pollers or more: one for each Loop of a Server.
func Pollers(n int) error {
	configure.Lock()
	defer configure.Unlock()
	if n > started {
		if err := netpoll.Configure(netpoll.Config{PollerNum: n, LoadBalance: netpoll.RoundRobin}); err != nil {
			return fmt.Errorf("configure netpoll: %w", err)
		}
		started = n
	}
	pollers.Store(int32(n))
	return nil
}

// pollerListener is netpoll's view of the Loop: a listener whose descriptor is the loop's epoll
// set, and whose Accept never returns a connection, because the Loop keeps them.
//
// netpoll calls Accept on its poller's goroutine whenever the descriptor is readable, which for an
// epoll descriptor means that an event waits in it. It is registered level-triggered, so an event
// that arrives while run returns is not lost.
type pollerListener Loop

var _ netpoll.Listener = (*pollerListener)(nil)

func (p *pollerListener) Accept() (net.Conn, error) {
	(*Loop)(p).run()
	return nil, nil
}

// Close leaves the descriptor to Loop.Serve: netpoll may still be detaching it.
func (p *pollerListener) Close() error   { return nil }
func (p *pollerListener) Addr() net.Addr { return pollerAddr{} }
func (p *pollerListener) Fd() int        { return p.epfd }

type pollerAddr struct{}

func (pollerAddr) Network() string { return "epoll" }
func (pollerAddr) String() string  { return "epoll" }
