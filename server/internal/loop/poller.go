package loop

import (
	"net"

	"github.com/cloudwego/netpoll"
)

// pollerListener is the Loop as netpoll's server sees it: a listener whose descriptor is the loop's
// epoll set, and whose Accept never has a connection to give, because the Loop keeps them.
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
