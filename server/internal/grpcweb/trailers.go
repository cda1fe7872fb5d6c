package grpcweb

import (
	"bytes"
	"encoding/binary"
)

// trailerFlag marks the frame of the trailers.
const trailerFlag = 0x80

// AppendTrailers appends the frame that ends a response. lines are field lines, each with CR LF; their names
// are put in lower case.
func AppendTrailers(dst, lines []byte) []byte {
	dst = append(dst, trailerFlag)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(lines)))
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n') + 1
		if end == 0 {
			end = len(lines)
		}
		name := max(bytes.IndexByte(lines[:end], ':'), 0)
		for _, c := range lines[:name] {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
		}
		dst = append(dst, lines[name:end]...)
		lines = lines[end:]
	}
	return dst
}
