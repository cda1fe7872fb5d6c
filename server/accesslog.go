package server

import (
	"fmt"
	"log/slog"
	"os"
	"time"
	"unicode/utf8"

	"github.com/sluice-gateway/sluice/server/config"
	"github.com/sluice-gateway/sluice/server/internal/h1"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/server/internal/stats"
	"github.com/sluice-gateway/sluice/server/internal/wire"
	"github.com/sluice-gateway/sluice/server/sink"
)

// accessLog is where the lines of requests go, a line of JSON each. Loops format into buffers of their own and hand full
// ones over. Where the file does not keep up, lines are lost and counted, so that a full disk costs log lines
// and never requests.
type accessLog struct {
	path string // "" = stdout
	*sink.Sink
}

// logFlush is the size from which a loop's lines are handed over; a janitor does so every second.
const logFlush = 32 << 10

// openAccessLog returns nil where there is to be none.
func openAccessLog(c config.AccessLog, log *slog.Logger) (*accessLog, error) {
	if c.Path == "off" || c.Path == "" {
		return nil, nil
	}
	a := &accessLog{path: c.Path}
	if a.path == "stdout" {
		a.path = ""
	}
	var err error
	a.Sink, err = sink.Open(sink.Options{Path: a.path, Std: os.Stdout, Report: func(lost uint64, err error) {
		log.Warn("lines of the access log were lost", "path", c.Path, "lines", lost, "error", err)
	}})
	if err != nil {
		return nil, fmt.Errorf("open access log: %w", err)
	}
	return a, nil
}

// reopen opens the file anew, because it was rotated.
func (a *accessLog) reopen(log *slog.Logger) {
	if err := a.Reopen(a.path); err != nil {
		log.Error("reopen access log; lines go on to the old file", "path", a.path, "error", err)
	}
}

// logBuffer is a loop's lines that were not handed over yet.
type logBuffer struct{ b []byte }

// flushLog hands the loop's lines over, or drops them when the writer is behind.
func (w *worker) flushLog() {
	a := w.logs
	if a == nil || len(w.log.b) == 0 {
		return
	}
	if !a.Offer(w.log.b) {
		w.log.b = w.log.b[:0]
		return
	}
	if w.log.b = a.Spare(); w.log.b == nil {
		w.log.b = make([]byte, 0, logFlush+4<<10)
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

// logExchange writes one line.
func (w *worker) logExchange(x *Exchange, e *stats.Event) {
	b := beginLine(w.log.b, x.down.peer())
	b = appendJSON(append(b, `","method":`...), x.logged.method)
	b = appendJSON(append(b, `,"host":`...), x.logged.host)
	b = appendJSON(append(b, `,"target":`...), x.logged.target)
	b = h1.AppendUint(append(b, `,"status":`...), uint64(e.Status))
	b = h1.AppendUint(append(b, `,"bytes_in":`...), uint64(e.BytesIn))
	b = h1.AppendUint(append(b, `,"bytes_out":`...), uint64(e.BytesOut))
	b = h1.AppendUint(append(b, `,"duration_us":`...), uint64(e.Duration/1000))
	b = h1.AppendUint(append(b, `,"upstream_us":`...), uint64(e.Upstream/1000))
	if x.endpoint != nil {
		b = append(b, `,"endpoint":"`...)
		b = x.endpoint.Addr.AppendTo(b)
		b = append(b, '"')
	}
	if r := x.route; r != nil {
		if r.Source != nil {
			b = appendJSON(append(b, `,"ingress":`...), []byte(r.Source.Ingress.String()))
		}
		b = appendJSON(append(b, `,"path":`...), []byte(r.Path))
	}
	if e.Reason != stats.NoFailure {
		b = append(append(append(b, `,"reason":"`...), e.Reason.String()...), '"')
	}
	b = appendJSON(append(b, `,"user_agent":`...), x.logged.agent)
	b = appendJSON(append(b, `,"referer":`...), x.logged.referer)
	w.endLine(b)
}

// logPassthrough writes the line of a TLS connection that was passed through.
func (w *worker) logPassthrough(p *passthrough, reason stats.Reason) {
	b := beginLine(w.log.b, p.c.peer())
	b = appendJSON(append(b, `","passthrough":true,"host":`...), []byte(p.name))
	b = h1.AppendUint(append(b, `,"bytes_in":`...), uint64(p.received))
	b = h1.AppendUint(append(b, `,"bytes_out":`...), uint64(p.sent))
	b = h1.AppendUint(append(b, `,"duration_us":`...), uint64((w.Now()-p.started)/1000))
	if p.endpoint != nil {
		b = append(b, `,"endpoint":"`...)
		b = p.endpoint.Addr.AppendTo(b)
		b = append(b, '"')
	}
	if reason != stats.NoFailure {
		b = append(append(append(b, `,"reason":"`...), reason.String()...), '"')
	}
	w.endLine(b)
}

// beginLine appends what every line begins with, up to a value's closing quote.
func beginLine(b []byte, c *client) []byte {
	b = append(b, `{"time":"`...)
	b = time.Now().UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","remote":"`...)
	return c.remote.AppendTo(b)
}

func (w *worker) endLine(b []byte) {
	w.log.b = append(b, '}', '\n')
	if len(w.log.b) >= logFlush {
		w.flushLog()
	}
}

// appendJSON appends s as a JSON string: bytes that are not UTF-8 become U+FFFD.
func appendJSON(dst, s []byte) []byte {
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
