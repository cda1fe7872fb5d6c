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

// Log is a loop's part of the access log: the lines that were not handed over yet, each a JSON object. Owned by the loop.
type Log struct {
	to *sink.Sink // shared by all loops
	b  []byte
}

// newLogbook returns one that hands its lines to to, nil where to is.
func newLogbook(to *sink.Sink) *Log {
	if to == nil {
		return nil
	}
	return &Log{to: to}
}

// logFlush is the size from which lines are handed over; the janitor does so every second.
const logFlush = 32 << 10

// Flush hands the lines over, or drops them when the writer is behind.
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

// logFields is what the log needs of a request head, which is gone when the line is written.
type logFields struct{ method, target, host, agent, referer []byte }

func (l *logFields) take(req *message.Request, head []byte) {
	l.method = append(l.method[:0], req.MethodSpan.Of(head)...)
	l.target = append(l.target[:0], req.Target.Of(head)...)
	l.host = append(l.host[:0], req.Authority.Of(head)...)
	l.agent = append(l.agent[:0], req.Value(head, message.FieldUserAgent)...)
	l.referer = append(l.referer[:0], req.Value(head, message.FieldReferer)...)
}

func (l *logFields) reset() logFields {
	return logFields{wire.Reuse(l.method), wire.Reuse(l.target), wire.Reuse(l.host), wire.Reuse(l.agent), wire.Reuse(l.referer)}
}

// exchange writes the line of a request that has ended at ep, nil for at none.
func (l *Log) exchange(x *Core, ep *upstream.Endpoint, e *stats.Event) {
	b := l.Begin(x.down.Peer().Remote)
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
	l.End(b)
}

// Begin appends what every line begins with, up to the closing quote of remote, behind the lines that wait.
func (l *Log) Begin(remote netip.AddrPort) []byte {
	b := append(l.b, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","remote":"`...)
	return remote.AppendTo(b)
}

// End ends the line of b, which begin began.
func (l *Log) End(b []byte) {
	l.b = append(b, '}', '\n')
	if len(l.b) >= logFlush {
		l.Flush()
	}
}

// AppendJSON appends s as a JSON string: bytes that are not UTF-8 become U+FFFD.
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
