package message

// Request is the index of a request head. The zero value is ready for a codec to fill. Reuse one for
// all requests of a connection or loop; do not copy it.
type Request struct {
	Head

	// MethodSpan is the method as sent.
	MethodSpan Span
	// Target is the request target as sent; forward this one.
	Target Span
	// Path is the path of the target, without the query. It is empty for a CONNECT, and where the
	// target is "http://host" (see EmptyPath).
	Path Span
	// Query is the text after the first '?' of the target, without it.
	Query Span
	// Authority is host[:port] that the request is for: the target's where it names one, else the value
	// of Host. Empty only in an HTTP/1.0 request without Host. RFC 9112 section 3.2.2 requires forwarding
	// it as Host; the two cannot differ in more than case and a default port, because codecs refuse that.
	Authority Span
	// Host is Authority without the port; brackets of an IP literal are kept. Its bytes are valid,
	// its case is as sent.
	Host Span
	// Port is the port of Authority, digits without the colon; empty when there is none.
	Port Span

	// Method is the method where it is known.
	Method Method
	// Form is the form of the target.
	Form TargetForm
	// TLSScheme means that the request names the scheme https, in an absolute-form target or in
	// :scheme. It is the client's claim; the connection itself is not looked at.
	TLSScheme bool
	// EmptyPath means that an absolute-form target has no path: forward "/", or "*" for OPTIONS.
	EmptyPath bool
	// HasBody means that a body follows the head: Chunked, or ContentLength above zero.
	HasBody bool
	// ExpectContinue means that the client waits for 100 before it sends the body.
	ExpectContinue bool
	// ExpectOther means that Expect holds something else: answer 417.
	ExpectOther bool
	// Extended means that an Upgrade request came as an extended CONNECT (RFC 8441): it stands here
	// as the equivalent GET, with Connection and Upgrade fields of which the latter holds :protocol,
	// but without the fields of HTTP/1's handshake, such as Sec-WebSocket-Key. 101 accepts it.
	Extended bool
}

// Reset empties r and keeps the room of Fields.
func (r *Request) Reset() {
	fields := room(r.Fields)
	*r = Request{}
	r.Fields = fields
	r.ContentLength = -1
}

// SetAuthority sets Host and Port from Authority and reports whether it is valid.
func (r *Request) SetAuthority(b []byte) (ok bool) {
	r.Host, r.Port, ok = SplitAuthority(b, r.Authority)
	return ok
}

// SameAuthority reports whether host[:port] at s is the same as Host and Port: the case of the host
// and the port that the scheme implies make no difference. valid is false where s is malformed.
func (r *Request) SameAuthority(b []byte, s Span) (same, valid bool) {
	host, port, ok := SplitAuthority(b, s)
	if !ok {
		return false, false
	}
	return EqualFold(host.Of(b), r.Host.Of(b)) && r.portOf(b, port) == r.portOf(b, r.Port), true
}

// portOf returns the number of the port at s, the scheme's default when s is empty. s holds at most
// five digits.
func (r *Request) portOf(b []byte, s Span) int64 {
	if n, ok := ParseLength(s.Of(b)); ok {
		return n
	}
	switch {
	case r.Form == AuthorityForm:
		return 443 // what a CONNECT without tricks is for; its own port is never empty
	case r.TLSScheme:
		return 443
	}
	return 80
}

// ReadExpect sets ExpectContinue and ExpectOther from all Expect fields. It ignores them in
// HTTP/1.0: RFC 9110 section 10.1.1.
func (r *Request) ReadExpect(b []byte) {
	if r.Minor == 0 || !r.Seen.Has(FieldExpect) {
		return
	}
	for i := range r.Fields {
		if r.Fields[i].ID != FieldExpect {
			continue
		}
		v := r.Fields[i].Value.Of(b)
		for option, rest := NextElement(v); option != nil; option, rest = NextElement(rest) {
			if EqualFold(option, "100-continue") {
				r.ExpectContinue = true
			} else {
				r.ExpectOther = true
			}
		}
	}
}
