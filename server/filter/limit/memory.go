package limit

import (
	"sync"
	"syscall"
	"unsafe"
)

// The tables of the process, made when the first limit is: at most 32 MiB of buckets and 16 MiB of counters, as far as clients
// have touched them. They are mapped beside the heap: in it the garbage collector, which lets the heap grow to twice what is
// in use, would add as much again, and they are never freed.
var (
	allBuckets  = sync.OnceValue(func() *buckets { return &buckets{mapped(entries)} })
	allCounters = sync.OnceValue(func() *counters { return &counters{mapped(places)} })
)

// mapped returns n entries that nobody has used.
func mapped(n int) []entry {
	b, err := syscall.Mmap(-1, 0, n*int(unsafe.Sizeof(entry{})), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return make([]entry, n)
	}
	return unsafe.Slice((*entry)(unsafe.Pointer(unsafe.SliceData(b))), n)
}
