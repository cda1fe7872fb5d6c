package policy

import "slices"

// KindBlock is the Kind of Block.
const KindBlock Kind = "block"

// Block answers 403 to requests by what they say of themselves (block-user-agents and block-referers of ingress-nginx's
// ConfigMap). It keeps polite nuisances away, and nobody who wants in.
type Block struct{ UserAgents, Referers []TextPattern }

// TextPattern is what a text is compared with.
type TextPattern struct {
	// Text is the whole text, in any case; or, with Regular, an expression of RE2 that matches a part of it.
	Text    string
	Regular bool
}

// String is the pattern as nginx writes it.
func (p TextPattern) String() string {
	if p.Regular {
		return "~" + p.Text
	}
	return p.Text
}

// Kind implements Filter.
func (*Block) Kind() Kind { return KindBlock }

// Equal implements Filter.
func (b *Block) Equal(f Filter) bool {
	o := f.(*Block)
	return slices.Equal(b.UserAgents, o.UserAgents) && slices.Equal(b.Referers, o.Referers)
}

// AppendText implements Filter.
func (b *Block) AppendText(dst []byte) []byte {
	for i, list := range [...][]TextPattern{b.UserAgents, b.Referers} {
		for _, p := range list {
			if len(dst) > 0 && dst[len(dst)-1] != ' ' {
				dst = append(dst, ' ')
			}
			dst = append(append(dst, [...]string{"agent ", "referer "}[i]...), Word(p.String())...)
			if p.Regular {
				dst = append(dst, " as expression"...)
			}
		}
	}
	return dst
}
