package h2

import (
	"math/bits"

	"github.com/sluice-gateway/sluice/server/internal/message"
)

// startRequest checks the pseudo-fields of a request, section 8.3.1, and writes the request line and
// Host. An extended CONNECT becomes the equivalent GET with Upgrade: RFC 8441 section 4.
func (a *assembler) startRequest() {
	r := &a.req
	const request = 1<<pseudoMethod | 1<<pseudoScheme | 1<<pseudoPath
	if !a.has(pseudoMethod) {
		a.fault = FaultPseudoMissing
		return
	}
	method := a.value(pseudoMethod)
	if len(method) > message.MaxMethod || !message.IsToken(method) {
		a.fault = FaultMethod
		return
	}
	r.Minor, r.KeepAlive = 1, true
	r.Method = message.MethodOf(method)
	connect := r.Method == message.MethodConnect
	r.Extended = a.has(pseudoProtocol)
	target := a.value(pseudoPath)
	switch {
	case r.Extended:
		if !connect || a.have&request != request || !a.has(pseudoAuthority) {
			a.fault = FaultProtocol
			return
		}
		method = methodGet
		r.Method = message.MethodGet
	case connect:
		if a.have != 1<<pseudoMethod|1<<pseudoAuthority {
			a.fault = FaultPseudoMissing
			return
		}
		target = a.value(pseudoAuthority)
		r.Form = message.AuthorityForm
	case a.have&request != request:
		a.fault = FaultPseudoMissing
		return
	}
	if r.Form != message.AuthorityForm {
		switch scheme := a.value(pseudoScheme); {
		case message.EqualFold(scheme, "https"):
			r.TLSScheme = true
		case !message.EqualFold(scheme, "http"):
			a.fault = FaultScheme
			return
		}
	}
	query, ok := checkTarget(target)
	switch {
	case !ok || len(target) == 0:
		a.fault = FaultTarget
		return
	case r.Form == message.AuthorityForm || target[0] == '/':
	case len(target) == 1 && target[0] == '*' && r.Method == message.MethodOptions:
		r.Form = message.AsteriskForm
	default:
		a.fault = FaultTarget
		return
	}

	b := append(a.arena, method...)
	r.MethodSpan = message.SpanOf(0, len(b))
	b = append(b, ' ')
	from := len(b)
	b = append(b, target...)
	r.Target = message.SpanOf(from, len(b))
	r.Path, r.Query = r.Target, message.SpanOf(len(b), len(b))
	if r.Form == message.AuthorityForm {
		r.Path = message.SpanOf(from, from)
	} else if query >= 0 {
		r.Path = message.SpanOf(from, from+query)
		r.Query = message.SpanOf(from+query+1, len(b))
	}
	a.arena = append(b, " HTTP/1.1\r\n"...)
	if a.has(pseudoAuthority) {
		r.Authority = a.appendLine(nameHost, a.value(pseudoAuthority), message.FieldHost, false)
		if !r.SetAuthority(a.arena) || r.Form == message.AuthorityForm && r.Port.Empty() {
			a.fault = FaultAuthority
			return
		}
		if r.Form == message.AuthorityForm {
			r.Authority = r.Target // the same bytes, where HTTP/1 finds them
			r.SetAuthority(a.arena)
		}
	}
	if r.Extended {
		a.startUpgrade(a.value(pseudoProtocol))
		r.UpgradeH2C = message.EqualFold(a.value(pseudoProtocol), "h2c")
	}
}

// startUpgrade writes the fields of an Upgrade.
func (a *assembler) startUpgrade(protocol []byte) {
	if !message.IsToken(protocol) {
		a.fault = FaultProtocol
		return
	}
	a.appendLine(nameConnection, nameUpgrade, message.FieldConnection, true)
	a.appendLine(nameUpgrade, protocol, message.FieldUpgrade, true)
	a.head.Upgrade = true
}

// checkTarget finds the first '?' of a target, -1 when there is none, and reports whether its bytes
// are allowed.
func checkTarget(b []byte) (query int, ok bool) {
	query = -1
	for i := 0; ; {
		stops := message.TargetStops(message.Load(b, i))
		if stops == 0 {
			i += 8
			continue
		}
		i += bits.TrailingZeros64(stops) >> 3
		if i >= len(b) {
			return query, true
		}
		if b[i] != '?' {
			return query, false
		}
		if query < 0 {
			query = i
		}
		i++
	}
}

// host takes a Host field, and reports whether its line is to be written: beside :authority it must
// agree (section 8.3.1), and is redundant.
func (a *assembler) host(value []byte) bool {
	r := &a.req
	if !a.has(pseudoAuthority) {
		if r.Seen.Has(message.FieldHost) {
			a.fault = FaultHostConflict
		}
		return a.fault == FaultNone
	}
	if message.EqualFold(value, a.value(pseudoAuthority)) {
		return false
	}
	n := len(a.arena)
	a.arena = append(a.arena, value...)
	if same, valid := r.SameAuthority(a.arena, message.SpanOf(n, len(a.arena))); !same || !valid {
		a.fault = FaultHostConflict
	}
	a.arena = a.arena[:n]
	return false
}

// finishRequest applies the rules that need the whole head.
func (a *assembler) finishRequest(end bool) {
	r := &a.req
	if !a.has(pseudoAuthority) {
		i := r.Find(message.FieldHost)
		if i < 0 {
			a.fault = FaultAuthority
			return
		}
		r.Authority = r.Fields[i].Value
		if !r.SetAuthority(a.arena) {
			a.fault = FaultAuthority
			return
		}
	}
	if (end || r.Extended) && r.ContentLength > 0 {
		// A CONNECT has no content: RFC 9110 section 9.3.6. Its DATA is the other protocol's.
		a.fault = FaultLengthMismatch
		return
	}
	if !r.Extended && r.Method != message.MethodConnect {
		r.Chunked = !end && r.ContentLength < 0
		r.HasBody = r.Chunked || r.ContentLength > 0
	}
	r.ReadExpect(a.arena)
}
