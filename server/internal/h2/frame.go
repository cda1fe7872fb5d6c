package h2

import "encoding/binary"

// Frame types: RFC 9113 section 6.
const (
	frameData = iota
	frameHeaders
	framePriority
	frameResetStream
	frameSettings
	framePushPromise
	framePing
	frameGoAway
	frameWindowUpdate
	frameContinuation
)

// Frame flags.
const (
	flagEndStream  = 0x1
	flagAck        = 0x1
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

const (
	frameHeaderLen = 9

	// maxFrame is the largest payload taken and sent: the default, and the least that a peer must
	// take. Larger frames save nothing, because the copy is the cost, and hold up other streams.
	maxFrame = 16 << 10

	// maxWindow is the largest flow-control window and stream id: 31 bits.
	maxWindow = 1<<31 - 1

	// defaultWindow is the initial window of a connection, and of streams until SETTINGS: section 6.9.2.
	defaultWindow = 65535

	// Preface begins a client's side of a connection: section 3.4.
	Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
)

// frameHeader is the fixed part of a frame: section 4.1.
type frameHeader struct {
	length uint32
	stream uint32
	kind   uint8
	flags  uint8
}

// readFrameHeader reads the nine bytes at the start of b. The reserved bit is ignored.
func readFrameHeader(b []byte) frameHeader {
	_ = b[frameHeaderLen-1]
	w := binary.BigEndian.Uint32(b)
	return frameHeader{
		length: w >> 8,
		kind:   uint8(w),
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & maxWindow,
	}
}

func (h frameHeader) has(flag uint8) bool { return h.flags&flag != 0 }

// appendFrameHeader appends the nine bytes.
func appendFrameHeader(dst []byte, length int, kind, flags uint8, stream uint32) []byte {
	return append(dst, byte(length>>16), byte(length>>8), byte(length), kind, flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// setFrameHeader writes the nine bytes over the first of b.
func setFrameHeader(b []byte, length int, kind, flags uint8, stream uint32) {
	_ = b[frameHeaderLen-1]
	binary.BigEndian.PutUint32(b, uint32(length)<<8|uint32(kind))
	b[4] = flags
	binary.BigEndian.PutUint32(b[5:], stream)
}

// appendWord appends a frame whose payload is one 32-bit word: RST_STREAM, WINDOW_UPDATE.
func appendWord(dst []byte, kind uint8, stream, word uint32) []byte {
	dst = appendFrameHeader(dst, 4, kind, 0, stream)
	return binary.BigEndian.AppendUint32(dst, word)
}
