package exchange

import (
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/server/sink"
	"github.com/sluice-gateway/sluice/upstream"
)

// Log is a loop's part of the access log: lines, each a JSON object, that were not handed to the sink yet. Owned by the
// loop; a nil Log is off, and takes Flush alone.
type Log struct {
	to *sink.Sink // shared by all loops
	b  []byte
}

// newLog returns a Log that hands its lines to to; nil where to is nil.
func newLog(to *sink.Sink) *Log {
	if to == nil {
		return nil
	}
	return &Log{to: to}
}

// logFlush is the size in bytes from which lines are handed over. The janitor hands over smaller ones every second.
const logFlush = 32 << 10

// Flush hands the lines to the sink, which drops and counts them when its file does not keep up.
func (l *Log) Flush() {
	if l == nil || len(l.b) == 0 {
		return
	}
	if !l.to.Offer(l.b) {
		l.b = l.b[:0]
		return
	}
	if l.b = l.to.Spare(); l.b == nil {
		l.b = make([]byte, 0, logFlush+4<<10)
	}
}

// logFields are copies of the parts of a request head that the log has: the head is not valid any more when the line is
// written.
type logFields struct{ method, target, host, agent, referer []byte }

func (l *logFields) copyFrom(req *message.Request, head []byte) {
	l.method = append(l.method[:0], req.MethodSpan.Of(head)...)
	l.target = append(l.target[:0], req.Target.Of(head)...)
	l.host = append(l.host[:0], req.Authority.Of(head)...)
	l.agent = append(l.agent[:0], req.Value(head, message.FieldUserAgent)...)
	l.referer = append(l.referer[:0], req.Value(head, message.FieldReferer)...)
}

func (l *logFields) reused() logFields {
	return logFields{wire.Reuse(l.method), wire.Reuse(l.target), wire.Reuse(l.host), wire.Reuse(l.agent), wire.Reuse(l.referer)}
}

// writeExchange appends the line of x, which has ended as e says; ep is the Endpoint of its last attempt, nil: it had none.
func (l *Log) writeExchange(x *Core, ep *upstream.Endpoint, e *stats.Event) {
	b := l.BeginLine(x.down.Peer().Remote)
	b = AppendJSON(append(b, `","method":`...), x.logged.method)
	b = AppendJSON(append(b, `,"host":`...), x.logged.host)
	b = AppendJSON(append(b, `,"target":`...), x.logged.target)
	b = h1.AppendUint(append(b, `,"status":`...), uint64(e.Status))
	b = h1.AppendUint(append(b, `,"bytes_in":`...), uint64(e.BytesIn))
	b = h1.AppendUint(append(b, `,"bytes_out":`...), uint64(e.BytesOut))
	b = h1.AppendUint(append(b, `,"duration_us":`...), uint64(e.Duration/1000))
	b = h1.AppendUint(append(b, `,"upstream_us":`...), uint64(e.Upstream/1000))
	if ep != nil {
		b = append(b, `,"endpoint":"`...)
		b = ep.Addr.AppendTo(b)
		b = append(b, '"')
	}
	if r := x.route; r != nil {
		if r.Source != nil {
			b = AppendJSON(append(b, `,"ingress":`...), []byte(r.Source.Ingress.String()))
		}
		b = AppendJSON(append(b, `,"path":`...), []byte(r.Path))
	}
	if e.Reason != stats.NoFailure {
		b = append(append(append(b, `,"reason":"`...), e.Reason.String()...), '"')
	}
	b = AppendJSON(append(b, `,"user_agent":`...), x.logged.agent)
	b = AppendJSON(append(b, `,"referer":`...), x.logged.referer)
	l.EndLine(b)
}

// BeginLine returns the waiting lines with the start of another, up to the address in "remote": the caller appends the
// closing quote and the other members, and gives the result to EndLine.
func (l *Log) BeginLine(remote netip.AddrPort) []byte {
	b := append(l.b, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","remote":"`...)
	return remote.AppendTo(b)
}

// EndLine completes the line at the end of b, which BeginLine returned. Lines are handed over from logFlush bytes on.
func (l *Log) EndLine(b []byte) {
	l.b = append(b, '}', '\n')
	if len(l.b) >= logFlush {
		l.Flush()
	}
}

// AppendJSON appends s as a quoted JSON string. Bytes that are not UTF-8 become U+FFFD.
func AppendJSON(dst, s []byte) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	for len(s) > 0 {
		c := s[0]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRune(s)
			dst = utf8.AppendRune(dst, r)
			s = s[n:]
			continue
		}
		s = s[1:]
	}
	return append(dst, '"')
}
