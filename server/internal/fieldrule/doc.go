// Package fieldrule says what clients may say: which field names go on, because a Backend would not fold them into others
// (message.Fold), which fields speak about the client, which only the gateway may, and the same for trailer sections.
//
// Rules are values without state, over bytes that a codec has indexed; nothing here blocks, and nothing allocates but where
// Connection nominates trailers. Both ends of a message ask: the Exchange about heads, the codecs' owners about trailers.
package fieldrule
