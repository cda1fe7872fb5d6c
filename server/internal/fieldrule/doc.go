// Package fieldrule decides which of a client's fields go on: field names that no Backend would fold into others
// (message.Fold), and no claims about the client, which the gateway alone may make. The same rules hold for trailer
// sections.
//
// Rules are values without state, over bytes that a codec has indexed; nothing here blocks, and nothing allocates except
// where Connection nominates trailers. The Exchange applies them to heads, and the owners of codecs to trailers, each on its
// loop.
package fieldrule
