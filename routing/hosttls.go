package routing

// HostTLS holds the settings of TLS connections for a Host that apply before there is a request.
// Immutable once published.
type HostTLS struct {
	// ClientAuth is nil where no certificate is asked for.
	ClientAuth *ClientAuth
	// Passthrough has connections go to a Backend as they are, and Backend is its index in
	// Snapshot.Backends, negative where it could not be resolved.
	Passthrough bool
	Backend     int32
	// CipherSuites are for TLS 1.2 and below; nil for the gateway's.
	CipherSuites []uint16
}

// WithTLS returns h with t, sharing everything else, its Routes among it. t may be nil.
func (h *Host) WithTLS(t *HostTLS) *Host {
	c := *h
	c.tls = t
	return &c
}

// TLS returns what WithTLS was given, or nil.
func (h *Host) TLS() *HostTLS { return h.tls }

// hostTLSFor returns the HostTLS of the one Host that answers for a server name, or nil. "" is the
// name of a client that sends none, for which the catch-all answers.
//
// hot: runs per handshake; no alloc, no lock.
func (s *Snapshot) hostTLSFor(name string) *HostTLS {
	if s.Table == nil {
		return nil
	}
	var buf [maxHost]byte
	h := s.Table.lookup(lowerName(&buf, name))
	if h == nil {
		return nil
	}
	return h.tls
}

// ClientAuthFor returns what the clients of a server name must show, or nil for nothing. Route.TLS
// tells a client apart that sends one name and asks for another's Host.
//
// hot: runs per handshake; no alloc, no lock.
func (s *Snapshot) ClientAuthFor(name string) *ClientAuth {
	if t := s.hostTLSFor(name); t != nil {
		return t.ClientAuth
	}
	return nil
}

// CipherSuitesFor returns the suites of TLS 1.2 and below for a server name, or nil for the gateway's.
// They must not be edited.
//
// hot: runs per handshake; no alloc, no lock.
func (s *Snapshot) CipherSuitesFor(name string) []uint16 {
	if t := s.hostTLSFor(name); t != nil {
		return t.CipherSuites
	}
	return nil
}

// PassthroughFor reports whether the connections for a server name go to a Backend as they are, TLS and
// all. The Backend is nil where it could not be resolved; the connection must be closed then.
//
// hot: runs per handshake; no alloc, no lock.
func (s *Snapshot) PassthroughFor(name string) (to *Backend, ok bool) {
	t := s.hostTLSFor(name)
	if t == nil || !t.Passthrough {
		return nil, false
	}
	if uint(t.Backend) < uint(len(s.Backends)) {
		to = s.Backends[t.Backend]
	}
	return to, true
}

// TLS returns the settings of TLS connections for the Route's Host, or nil. A request on a
// connection that had others is misdirected.
//
// hot: runs per request; must inline.
func (r *Route) TLS() *HostTLS {
	if !r.secured {
		return nil
	}
	return r.Source.TLS
}

// ClientAuth returns what the clients of the Route's Host must show, or nil for nothing.
//
// hot: runs per request; must inline.
func (r *Route) ClientAuth() *ClientAuth {
	if t := r.TLS(); t != nil {
		return t.ClientAuth
	}
	return nil
}
