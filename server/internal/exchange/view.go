package exchange

// Exchange is one request and its response, as Filters see and change them. It belongs to the loop that serves it: a Filter
// uses it during the calls that it is an argument of, and keeps no pointer to it.
type Exchange Core

// view returns x for Filters: the same memory with other methods.
func (x *Core) view() *Exchange { return (*Exchange)(x) }

// core undoes view.
func (x *Exchange) core() *Core { return (*Core)(x) }
