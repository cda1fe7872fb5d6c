package h2

import "github.com/sluice-gateway/sluice/server/internal/hpack"

// Config configures connections. A zero field means its default.
type Config struct {
	// MaxStreams bounds the streams that a peer may have open: SETTINGS_MAX_CONCURRENT_STREAMS.
	// Default 128.
	MaxStreams uint32
	// StreamWindow is how many bytes a peer may send on a stream before the handler consumes.
	// Default 256 KiB, at least 65535.
	StreamWindow uint32
	// ConnWindow is the same for all streams of a connection together. Default 1 MiB, at least
	// StreamWindow.
	ConnWindow uint32
	// MaxHead bounds a head as RFC 9113 section 6.5.2 counts it: names and values and 32 bytes for
	// each field. Default 64 KiB.
	MaxHead int
	// MaxFields bounds the field lines of a head. Default 128.
	MaxFields int
	// MaxTarget bounds :path. Default 16 KiB.
	MaxTarget int
	// TableSize bounds HPACK's dynamic table, each way. Default 4096.
	TableSize uint32
	// MaxOutput is how many bytes of output may wait before WriteData takes no more. Default 128 KiB.
	MaxOutput int
	// ExtendedConnect offers RFC 8441 to clients.
	ExtendedConnect bool
}

func (c *Config) setDefaults() {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = 128
	}
	if c.StreamWindow == 0 {
		c.StreamWindow = 256 << 10
	}
	c.StreamWindow = min(max(c.StreamWindow, defaultWindow), 1<<30)
	if c.ConnWindow == 0 {
		c.ConnWindow = 1 << 20
	}
	c.ConnWindow = min(max(c.ConnWindow, c.StreamWindow), 1<<30)
	if c.TableSize == 0 {
		c.TableSize = hpack.DefaultTableSize
	}
	c.TableSize = min(c.TableSize, hpack.MaxTableSize)
	def(&c.MaxHead, 64<<10)
	def(&c.MaxFields, 128)
	def(&c.MaxTarget, 16<<10)
	def(&c.MaxOutput, 128<<10)
}
