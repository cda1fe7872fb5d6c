package exchange

// Exchange is one request and its response, as Filters see and change them. It belongs to the loop that serves it: a Filter
// uses it during the calls that it is given to, and keeps no pointer to it.
type Exchange Core

// view is x as Filters see it: the same memory, and other methods.
func (x *Core) view() *Exchange { return (*Exchange)(x) }

// core is the reverse of view.
func (x *Exchange) core() *Core { return (*Core)(x) }
