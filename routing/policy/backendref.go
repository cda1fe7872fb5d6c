package policy

// BackendRef is a Backend that a Filter leads to, beside the Route's. The zero value is that of none. Comparable.
type BackendRef struct {
	// Index is the Backend's in Snapshot.Backends. It counts where Name is not empty.
	Index int32
	// Name is the Backend's Key as text.
	Name string
}

// At returns the index in Snapshot.Backends, negative for none.
func (r BackendRef) At() int32 {
	if r.Name == "" {
		return -1
	}
	return r.Index
}

// appendTo appends the name. The index means nothing to people.
func (r BackendRef) appendTo(b []byte) []byte { return append(b, Word(r.Name)...) }
