package expression

import (
	"container/list"
	"regexp"
	"sync"
	"sync/atomic"
)

// cached bounds the programs that are kept, together: 64 of the largest, or some thousand of the usual,
// some 4 MiB.
const cached = 64 * MaxProgram

// programs is the process's Cache.
var programs = NewCache(cached)

// Cache keeps compiled programs, those that were used last. Safe for concurrent use; must not be copied.
// NewCache makes it.
type Cache struct {
	// limit is on the sizes, together.
	limit int
	// compiled counts the programs made.
	compiled atomic.Uint64

	mu sync.Mutex
	// Guarded by mu; the list has the program used last at its front:
	byText map[string]*list.Element
	order  *list.List
	held   int
}

// program is one text, compiled once.
type program struct {
	text    string
	size    int
	compile func() *regexp.Regexp
}

// NewCache returns a Cache for programs of limit instructions together.
func NewCache(limit int) *Cache {
	return &Cache{limit: limit, byText: make(map[string]*list.Element), order: list.New()}
}

// get returns the program of a text that Parse took.
func (c *Cache) get(text string) *regexp.Regexp { return c.find(text).compile() }

// find returns the program, which may not be compiled yet: compile runs outside the lock, once, at the
// first use.
func (c *Cache) find(text string) *program {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byText[text]; e != nil {
		c.order.MoveToFront(e)
		return e.Value.(*program)
	}
	p := &program{text: text, size: sizeOf(text), compile: sync.OnceValue(func() *regexp.Regexp {
		c.compiled.Add(1)
		return regexp.MustCompile(text)
	})}
	c.byText[text] = c.order.PushFront(p)
	c.held += p.size
	for c.held > c.limit && c.order.Len() > 1 {
		last := c.order.Remove(c.order.Back()).(*program)
		delete(c.byText, last.text)
		c.held -= last.size
	}
	return p
}
