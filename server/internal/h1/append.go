package h1

import (
	"strconv"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// LastChunk ends a chunked body without trailers.
const LastChunk = "0\r\n\r\n"

// AppendChunkHeader appends the size line of a chunk of n > 0 bytes. CR LF must follow the data.
func AppendChunkHeader(dst []byte, n int) []byte {
	return append(AppendHex(dst, uint64(n)), '\r', '\n')
}

// AppendHex appends n in lower-case hexadecimal without leading zeros.
func AppendHex(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 16) }

// AppendUint appends n in decimal.
func AppendUint(dst []byte, n uint64) []byte { return strconv.AppendUint(dst, n, 10) }

// AppendField appends one field line. Neither name nor value is checked: they come from a parsed
// head or from configuration that was validated.
func AppendField[N, V ~string | ~[]byte](dst []byte, name N, value V) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = append(dst, value...)
	return append(dst, '\r', '\n')
}

// AppendUintField appends one field line with a decimal value.
func AppendUintField(dst []byte, name string, value uint64) []byte {
	dst = append(dst, name...)
	dst = append(dst, ':', ' ')
	dst = AppendUint(dst, value)
	return append(dst, '\r', '\n')
}

// AppendErrorResponse appends a complete small answer of the gateway's own: a head, and the text
// "404 not found: reason" in a line unless head is set, which is for answers to HEAD requests.
// reason may be empty and must hold no control byte. extra are complete field lines with their CR LF,
// such as a cached "Date: ...\r\n", for the head.
func AppendErrorResponse(dst []byte, status int, reason string, extra []byte, keepAlive, head bool) []byte {
	dst = message.AppendStatusLine(dst, status)
	dst = append(dst, extra...)
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = AppendUint(dst, uint64(message.RefusalLen(status, reason)))
	if !keepAlive {
		dst = append(dst, "\r\nConnection: close"...)
	}
	dst = append(dst, "\r\n\r\n"...)
	if head {
		return dst
	}
	return message.AppendRefusal(dst, status, reason)
}
