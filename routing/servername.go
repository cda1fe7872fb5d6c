package routing

import "bytes"

// A server name is the name in a client's first handshake message (RFC 6066 section 3), before there
// is a request. It is compared like the host of an authority, in lower case; DNS names have no
// trailing dot there, and addresses are not sent. Any other text finds only the catch-all Host.

// lowerName appends a server name to buf[:0] in lower case, or returns nil where it is longer than
// any name.
//
// hot: runs per handshake; no alloc, no lock.
func lowerName(buf *[maxHost]byte, name string) []byte {
	if len(name) > maxHost {
		return nil
	}
	lowered := buf[:len(name)]
	for i := range lowered {
		c := name[i]
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lowered[i] = c
	}
	return lowered
}

// parentOf returns what follows the first label of a name, or nil for a single label.
//
// hot: runs per handshake; must inline.
func parentOf(name []byte) []byte {
	if i := bytes.IndexByte(name, '.'); i > 0 {
		return name[i+1:]
	}
	return nil
}

// CertificatesFor returns the Certificates that a server name may be answered with, at most one of each
// algorithm, the cheapest to sign with first: ECDSA, Ed25519, RSA. They are those of the name itself,
// else those of the wildcard in place of its first label, else none: DefaultCertificate is the
// caller's choice. The list is valid as long as s and must not be edited.
//
// hot: runs per handshake; no alloc, no lock.
func (s *Snapshot) CertificatesFor(name string) []*Certificate {
	var buf [maxHost]byte
	return s.ServerNames.find(lowerName(&buf, name))
}
