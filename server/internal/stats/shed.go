package stats

// Shed is why a connection, stream or request was closed, cut or refused so that other clients are served.
type Shed uint8

const (
	// ShedFull: an idle connection, because limits.connections was reached.
	ShedFull Shed = iota
	// ShedSource: a connection, because its source had limits.connections_per_source.
	ShedSource
	// ShedRequests: a request, because its source had limits.requests_per_source in flight.
	ShedRequests
	// ShedStalled: a stream that waited for its client's window, beyond http2.stalled_streams.
	ShedStalled
	// ShedDescriptors: a request that waited for its client, while connections to Endpoints were short.
	ShedDescriptors
	// ShedBuffered: a connection with the most bytes waiting, because limits.buffered_bytes was reached.
	ShedBuffered
	// ShedMemory: a request, by the priority of its Route, because the process was short of memory.
	ShedMemory

	// Sheds is the number of Shed values, for arrays indexed by Shed.
	Sheds = iota
)

var shedNames = [Sheds]string{"full", "connections_per_source", "requests_per_source", "stalled_streams", "descriptors", "buffered_bytes", "memory"}

// String returns the metric label.
func (s Shed) String() string { return shedNames[s] }
