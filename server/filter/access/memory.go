package access

import "github.com/sluice-gateway/sluice/server"

// memory is what a loop remembers of the clients of one Filter. Owned by the loop.
type memory struct {
	verified verified
	tokens   tokens
}

// memoryOf returns the memory that the Filter whose place is slot has on this loop.
func memoryOf(x *server.Exchange, slot int) *memory { return x.State(slot).(*memory) }

// remembers is for Filters that keep a memory on each loop: see memoryOf.
type remembers struct{}

// NewState implements server.LoopFilter.
func (remembers) NewState() any { return &memory{make(verified), make(tokens)} }
