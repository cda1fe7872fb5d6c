package secret

import (
	"bytes"
	"encoding/pem"
)

const certificateBlock = "CERTIFICATE"

// pemBlocks returns the blocks of a text. whole is false where something begins or ends like a block and
// is none: pem.Decode skips such text silently.
func pemBlocks(text []byte) (blocks []*pem.Block, whole bool) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		blocks = append(blocks, block)
	}
	for _, mark := range []string{"-----BEGIN ", "-----END "} {
		if bytes.Count(text, []byte(mark)) != len(blocks) {
			return blocks, false
		}
	}
	return blocks, true
}
