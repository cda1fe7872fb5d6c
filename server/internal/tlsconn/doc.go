// Package tlsconn runs crypto/tls on event loops, for clients (server role) and for HTTPS upstreams
// (client role).
//
// A connection begins as bytes that its loop collects until package clienthello finds a whole ClientHello. Then
// Handshakes.Server makes a Conn and shakes hands on a goroutine, which only computes: Feed hands it the bytes that
// the loop reads, Advance takes the bytes to send, and the Owner is called on its loop whenever there is something
// to take. A goroutine that needs the peer releases its turn on the processor and waits. Once Advance reports the
// end of the handshake, the Conn belongs to the loop alone: Read decrypts the bytes that the owner read from the
// socket, Append encrypts to where the owner collects its output. Neither waits or touches a descriptor.
//
//	if clienthello.Parse(&hello, in, limits) == clienthello.Done { // server role, on the loop
//		conn, err = handshakes.Server(tlsconn.Params{Config: cfg, Loop: l, Owner: o, Early: in, ...})
//	}
//	out, done, err = conn.Advance(out[:0])                    // in Owner.Progress
//	n, err = conn.Read(plain, cipher[:m], eof)                // when the socket had m bytes
//	out, err = conn.Append(out[:0], response)
//
// Goroutines: one for each handshake under way, bounded in number, of which a few run at a time; a
// goroutine whose handshake has ended waits a second for another. Handshakes is safe for concurrent
// use; a Conn's methods belong to its owner's loop from the beginning.
//
// Invariants:
//
//  1. Only the loop touches the socket. A handshake that outlives its connection ends without a
//     trace: it holds no descriptor, and its Owner is not called after Close.
//  2. crypto/tls is given whole records, as far as they fit, and no partial record behind them. So
//     its input buffer is empty between Reads, never grows beyond one record, and how the network
//     cut the bytes makes no difference.
//  3. When crypto/tls needs more than is here, it gets a temporary error, which it does not remember
//     once the handshake is complete. TestTemporaryErrorIsNotRemembered pins that to the Go version.
//  4. The peer's close_notify is io.EOF; an end without one is io.ErrUnexpectedEOF.
//  5. Work, memory and output that a peer can cause without sending plaintext are bounded: see
//     maxHandshake, maxBarren, maxReply.
//
// Memory: an established Conn retains the state of crypto/tls without its buffers, some 3 KiB, most of it two keys
// made ready for AES-GCM. What crypto/tls decrypts, and an incomplete record, are in buffers borrowed from the owner's
// pool until they have been read. See inner for how.
//
// Cost: 98 % of a full handshake's computing is crypto/tls's own: of 149 us with a P-256 key and X25519, 58 % for X25519,
// 25 % for the signature, 15 % for the key schedule and records. What is added here, hand-offs between goroutines, turns
// and copies, is 2.7 us, so there is little to pool or to batch. A ticket is 4.4 us, of which 3.2 would be with the keys
// that crypto/tls makes for itself. The garbage, 37 KiB of which 1.4 are from here, costs as much again as 8 %.
//
// What never happens here: no system call, no clock. Deadlines are the owner's: it calls
// Close with ErrTimeout.
//
// Read first: Conn, Handshakes, framer; then TestConnOverLoop.
package tlsconn
