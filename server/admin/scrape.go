package admin

import (
	"bufio"
	"compress/gzip"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudwego/hertz/pkg/app"
	"github.com/prometheus/common/expfmt"
)

const (
	// scrapeWait is how long a scrape waits for the one before it; Prometheus's own timeout is ten seconds.
	scrapeWait = 8 * time.Second
	// scrapeChunk is how much text is gathered before it is compressed or written.
	scrapeChunk = 32 << 10
)

// scrapes lets one scrape work at a time: each harvests the loops and formats what may be megabytes of text. Others
// wait in order. One that does not take its answer while another waits is cut off: the port faces the cluster, and a
// slow reader would keep the metrics from all others.
type scrapes struct {
	turn chan struct{} // holds a token while a scrape works

	mu sync.Mutex
	// Guarded by mu:
	current *guardedConn // of the working scrape
	waiting int
}

func newScrapes() *scrapes { return &scrapes{turn: make(chan struct{}, 1)} }

// begin waits for the scrape's turn, and returns false where the turn does not come in time.
func (s *scrapes) begin(conn *guardedConn) bool {
	s.mu.Lock()
	s.waiting++
	s.hurryLocked()
	s.mu.Unlock()
	late := time.NewTimer(scrapeWait)
	defer late.Stop()
	mine := false
	select {
	case s.turn <- struct{}{}:
		mine = true
	case <-late.C:
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting--
	if mine {
		s.current = conn
		s.hurryLocked()
	}
	return mine
}

func (s *scrapes) hurryLocked() {
	if s.current != nil && s.waiting > 0 {
		s.current.hurry()
	}
}

func (s *scrapes) end() {
	s.mu.Lock()
	s.current = nil
	s.mu.Unlock()
	<-s.turn
}

// scrape answers /metrics in the text format of Prometheus, as a stream: nothing holds the whole answer.
func (s *Server) scrape(c *app.RequestContext, g *guard) {
	conn := g.connOf(c.RemoteAddr())
	if conn == nil || !s.scrapes.begin(conn) {
		c.Header("Retry-After", "1")
		c.String(503, "another scrape is under way\n")
		return
	}
	families, err := s.registry.Gather()
	if err != nil {
		// The gathered part is worth more than an answer with the error alone.
		s.options.Logger.Error("gather metrics", "error", err)
	}
	c.SetContentType("text/plain; version=0.0.4; charset=utf-8")
	c.Header("Vary", "Accept-Encoding")
	compressed := acceptsGzip(string(c.GetHeader("Accept-Encoding")))
	if compressed {
		c.Header("Content-Encoding", "gzip")
	}
	if string(c.Method()) == "HEAD" {
		c.Response.SkipBody = true
		s.scrapes.end()
		return
	}
	// Hertz reads its end of the pipe, and closes it also where the connection fails. Where the text fails Hertz would
	// end the body as if it were whole, so the connection is closed first.
	answer, text := io.Pipe()
	c.SetBodyStream(answer, -1)
	go func() {
		defer s.scrapes.end()
		err := writeScrape(text, compressed, func(w io.Writer) error {
			for _, f := range families {
				if _, err := expfmt.MetricFamilyToText(w, f); err != nil {
					return err
				}
			}
			if s.options.Samples != nil {
				return s.options.Samples(w)
			}
			return nil
		})
		if err != nil {
			conn.Conn.Close()
		}
		text.CloseWithError(err)
	}()
}

// writeScrape has write fill a buffer that goes to to, compressed where asked.
func writeScrape(to io.Writer, compressed bool, write func(io.Writer) error) error {
	to = pieces{to}
	var squeeze *gzip.Writer
	if compressed {
		// The fastest level takes half the time of the best and compresses text of this kind to a tenth of its length.
		squeeze, _ = gzip.NewWriterLevel(to, gzip.BestSpeed) // fails for a level that is none
		to = squeeze
	}
	w := bufio.NewWriterSize(to, scrapeChunk)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if squeeze != nil {
		return squeeze.Close()
	}
	return nil
}

// pieces passes writes on, except writes of nothing, as compress/flate makes now and then: at the other end of a pipe
// they are reads of nothing, which Hertz takes for a fault, and it ends the connection.
type pieces struct{ to io.Writer }

// Write implements io.Writer.
func (p pieces) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return p.to.Write(b)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, 12.5.3): gzip or *, unless its weight is 0.
func acceptsGzip(field string) bool {
	for coding := range strings.SplitSeq(field, ",") {
		name, weight, weighted := strings.Cut(coding, ";")
		if name = strings.TrimSpace(name); name != "*" && !strings.EqualFold(name, "gzip") {
			continue
		}
		if !weighted {
			return true
		}
		q, ok := strings.CutPrefix(strings.TrimSpace(weight), "q=")
		value, err := strconv.ParseFloat(q, 64)
		return ok && err == nil && value > 0
	}
	return false
}
