package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// h2peer is an HTTP/2 connection's other end, of either role, whose windows it opens as a random script will, and which
// takes every overstepping of them for an error.
type h2peer struct {
	r      *round
	who    string
	conn   net.Conn
	server bool
	begin  func(st *h2stream) // a request came; called on the reading goroutine
	fr     *http2.Framer
	rng    *rand.Rand // of the pacing goroutine
	ended  chan struct{}

	mu        sync.Mutex
	cond      sync.Cond
	out       bytes.Buffer
	enc       *hpack.Encoder
	block     bytes.Buffer
	streams   map[uint32]*h2stream
	open      int // streams begun by the other side that have not ended both ways
	maxID     uint32
	sendWin   int64
	peerInit  int64
	peerFrame int
	recvWin   int64
	myInit    int64
	announced []int64 // initial windows that are not acknowledged yet
	err       error   // why the connection ended
	goaway    bool    // the other end sent GOAWAY
	leaving   bool    // this end sent GOAWAY
	lastID    uint32  // in this end's GOAWAY
	finish    bool    // write what there is, then close
	polite    bool    // which means to read until the other end has closed, too
}

// h2stream is one stream of an h2peer.
type h2stream struct {
	p    *h2peer
	id   uint32
	plan *plan
	body *filler // checks what comes

	// Guarded by p.mu:
	sendWin, recvWin int64
	sentEnd          bool
	weReset          bool
	head             map[string]string // the final one
	sum              string            // a trailer
	interims         int
	ended            bool
	reset            error
	over             bool
	abandonAt        int // body bytes after which the stream is reset, if > 0

	continued chan struct{} // closed when an interim or final head came
	done      chan struct{} // closed when nothing more will come
}

var initialWindows = []uint32{0, 1, 100, 5000, 65535, 65535, 1 << 20}

func newH2Peer(r *round, who string, conn net.Conn, server bool, rng *rand.Rand) *h2peer {
	p := &h2peer{
		r: r, who: who, conn: conn, server: server, rng: rng, ended: make(chan struct{}),
		streams: map[uint32]*h2stream{}, sendWin: 65535, peerInit: 65535, peerFrame: 16384, recvWin: 65535, myInit: 65535,
	}
	p.cond.L = &p.mu
	p.fr = http2.NewFramer(&p.out, conn)
	p.fr.AllowIllegalWrites = true
	p.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	p.enc = hpack.NewEncoder(&p.block)
	if !p.server {
		p.out.WriteString(http2.ClientPreface)
	}
	init := initialWindows[p.rng.IntN(len(initialWindows))]
	settings := []http2.Setting{{ID: http2.SettingInitialWindowSize, Val: init}}
	if p.server {
		settings = append(settings, http2.Setting{ID: http2.SettingMaxConcurrentStreams, Val: uint32(100)},
			http2.Setting{ID: http2.SettingEnableConnectProtocol, Val: 1})
	} else {
		settings = append(settings, http2.Setting{ID: http2.SettingEnablePush, Val: 0})
	}
	_ = p.fr.WriteSettings(settings...)
	p.announced = append(p.announced, int64(init))
	return p
}

// run speaks until the connection ends.
func (p *h2peer) run() {
	var all sync.WaitGroup
	all.Go(p.write)
	all.Go(p.pace)
	err := p.read()
	p.fail(err)
	all.Wait()
	p.conn.Close()
	close(p.ended)
}

// fail ends the connection.
func (p *h2peer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err == nil {
		p.err = err
	}
	for _, st := range p.streams {
		st.end()
	}
	p.cond.Broadcast()
}

// end marks that nothing more will come. p.mu is held.
func (st *h2stream) end() {
	if !st.over {
		st.over = true
		close(st.done)
	}
	st.p.cond.Broadcast()
}

func (p *h2peer) write() {
	for {
		p.mu.Lock()
		for p.out.Len() == 0 && p.err == nil && !p.finish {
			p.cond.Wait()
		}
		b := bytes.Clone(p.out.Bytes())
		p.out.Reset()
		err, finish, polite := p.err, p.finish, p.polite
		p.cond.Broadcast()
		p.mu.Unlock()
		if err != nil {
			p.conn.Close()
			return
		}
		if _, err := p.conn.Write(b); err != nil {
			// The reading side may still find what came before.
			p.mu.Lock()
			for p.err == nil {
				p.out.Reset()
				p.cond.Wait()
			}
			p.mu.Unlock()
			p.conn.Close()
			return
		}
		if finish && len(b) == 0 {
			if c, ok := p.conn.(interface{ CloseWrite() error }); ok && polite {
				_ = c.CloseWrite()
			} else {
				p.conn.Close()
			}
			return
		}
	}
}

// pace opens windows, changes settings and pings, a bit at a time.
func (p *h2peer) pace() {
	settings, pings := 0, 0
	for {
		time.Sleep(time.Duration(200+p.rng.IntN(1500)) * time.Microsecond) // plays a slow peer
		p.mu.Lock()
		if p.err != nil {
			p.mu.Unlock()
			return
		}
		if p.recvWin < 64<<10 && p.rng.IntN(2) == 0 {
			n := 1 + p.rng.IntN(200000)
			p.recvWin += int64(n)
			_ = p.fr.WriteWindowUpdate(0, uint32(n))
		}
		for _, st := range p.streams {
			if !st.over && !st.ended && st.recvWin < 30000 && p.rng.IntN(2) == 0 {
				n := 1 + p.rng.IntN(40000)
				st.recvWin += int64(n)
				_ = p.fr.WriteWindowUpdate(st.id, uint32(n))
			}
		}
		switch p.rng.IntN(40) {
		case 0:
			if settings++; settings < 20 {
				init := initialWindows[p.rng.IntN(len(initialWindows))]
				p.announced = append(p.announced, int64(init))
				_ = p.fr.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: init})
			}
		case 1:
			if pings++; pings < 50 {
				_ = p.fr.WritePing(false, [8]byte{1})
			}
		}
		p.cond.Broadcast()
		p.mu.Unlock()
	}
}

func (p *h2peer) read() error {
	if p.server {
		preface := make([]byte, len(http2.ClientPreface))
		if _, err := io.ReadFull(p.conn, preface); err != nil {
			return err
		}
		if string(preface) != http2.ClientPreface {
			p.r.errorf("%s: preface %q", p.who, preface)
			return errors.New("preface")
		}
	}
	for {
		f, err := p.fr.ReadFrame()
		if err != nil {
			var se http2.StreamError
			var ce http2.ConnectionError
			if errors.As(err, &se) || errors.As(err, &ce) {
				p.r.errorf("%s: the gateway broke the protocol: %v", p.who, err)
			}
			return err
		}
		if err := p.take(f); err != nil {
			if err == errBroken {
				p.r.errorf("%s: the gateway broke the protocol: %v", p.who, f)
			}
			return err
		}
	}
}

var errBroken = errors.New("broken protocol")

func (p *h2peer) take(f http2.Frame) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.cond.Broadcast()
	id := f.Header().StreamID
	st := p.streams[id]
	switch f := f.(type) {
	case *http2.SettingsFrame:
		if f.IsAck() {
			if len(p.announced) == 0 {
				return errBroken
			}
			for _, st := range p.streams {
				st.recvWin += p.announced[0] - p.myInit
			}
			p.myInit, p.announced = p.announced[0], p.announced[1:]
			return nil
		}
		_ = f.ForeachSetting(func(s http2.Setting) error {
			switch s.ID {
			case http2.SettingInitialWindowSize:
				for _, st := range p.streams {
					st.sendWin += int64(s.Val) - p.peerInit
				}
				p.peerInit = int64(s.Val)
			case http2.SettingMaxFrameSize:
				p.peerFrame = int(s.Val)
			case http2.SettingHeaderTableSize:
				p.enc.SetMaxDynamicTableSizeLimit(s.Val)
			}
			return nil
		})
		_ = p.fr.WriteSettingsAck()
	case *http2.PingFrame:
		if !f.IsAck() {
			_ = p.fr.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame:
		p.goaway = true
		if f.ErrCode != http2.ErrCodeNo {
			return fmt.Errorf("goaway %v %q", f.ErrCode, f.DebugData())
		}
	case *http2.WindowUpdateFrame:
		switch {
		case id == 0:
			p.sendWin += int64(f.Increment)
		case st != nil:
			st.sendWin += int64(f.Increment)
		}
	case *http2.RSTStreamFrame:
		if st == nil {
			if p.leaving && id > p.lastID {
				return nil
			}
			return errBroken
		}
		if !st.ended {
			st.reset = http2.StreamError{StreamID: id, Code: f.ErrCode}
		}
		st.end()
		st.late()
	case *http2.MetaHeadersFrame:
		return p.takeHead(st, f)
	case *http2.DataFrame:
		p.recvWin -= int64(f.Length)
		if p.recvWin < 0 && f.Length > 0 {
			p.r.errorf("%s: the connection's window is overstepped by %d", p.who, -p.recvWin)
			return errBroken
		}
		if p.leaving && id > p.lastID {
			return nil
		}
		if st == nil || st.ended {
			return errBroken
		}
		st.recvWin -= int64(f.Length)
		if st.recvWin < 0 && f.Length > 0 {
			p.r.errorf("%s: stream %d: window overstepped by %d, initial %d, announced %v", p.who, id, -st.recvWin, p.myInit, p.announced)
			return errBroken
		}
		if st.weReset || st.reset != nil {
			return nil
		}
		if st.head == nil {
			return errBroken
		}
		if !p.server && st.head["x-plan"] == "" {
			break // an answer of the gateway's own
		}
		at := st.body.n
		if !st.body.matches(f.Data()) {
			p.r.errorf("%s: stream %d: bytes %d to %d of the body are not its own: %v", p.who, id, at, st.body.n, st.plan)
		}
		if st.abandonAt > 0 && st.body.n >= st.abandonAt {
			st.cancel(http2.ErrCodeCancel)
			return nil
		}
	}
	if d, ok := f.(*http2.DataFrame); ok && d.StreamEnded() {
		st.ended = true
		st.end()
	}
	return nil
}

// takeHead takes HEADERS. p.mu is held.
func (p *h2peer) takeHead(st *h2stream, f *http2.MetaHeadersFrame) error {
	fields := map[string]string{}
	for _, h := range f.Fields {
		fields[h.Name] = h.Value
	}
	if p.leaving && f.StreamID > p.lastID {
		return nil // it is told that nothing became of it
	}
	if p.server && st == nil {
		if f.StreamID <= p.maxID || f.StreamID%2 == 0 {
			return errBroken
		}
		p.maxID = f.StreamID
		st = p.add(f.StreamID, nil)
		st.head = fields
		st.ended = f.StreamEnded()
		if st.ended {
			st.end()
		}
		p.begin(st)
		return nil
	}
	switch {
	case st == nil || st.ended:
		return errBroken
	case st.weReset || st.reset != nil:
		return nil
	case st.head != nil:
		if !f.StreamEnded() {
			return errBroken
		}
		if st.sum = fields["sum"]; len(fields) > 1 {
			st.sum = "forged"
		}
	default:
		status, err := strconv.Atoi(fields[":status"])
		if err != nil {
			return errBroken
		}
		if status < 200 {
			st.interims++
			if st.interims == 1 {
				close(st.continued)
			}
			return nil
		}
		st.head = fields
		if st.interims == 0 {
			close(st.continued)
		}
	}
	if f.StreamEnded() {
		st.ended = true
		st.end()
	}
	return nil
}

// add makes a stream. p.mu is held.
func (p *h2peer) add(id uint32, pl *plan) *h2stream {
	st := &h2stream{p: p, id: id, plan: pl, sendWin: p.peerInit, recvWin: p.myInit, continued: make(chan struct{}), done: make(chan struct{})}
	p.streams[id] = st
	return st
}

// request opens a stream, or returns nil when the connection takes none.
func (p *h2peer) request(pl *plan, end bool, fields ...string) *h2stream {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.goaway {
		return nil
	}
	if p.maxID == 0 {
		p.maxID = ^uint32(0) // so that the first is 1
	}
	p.maxID += 2
	st := p.add(p.maxID, pl)
	st.body = pl.response()
	st.fields(end, fields...)
	return st
}

// fields writes HEADERS. p.mu is held.
func (st *h2stream) fields(end bool, fields ...string) {
	p := st.p
	p.block.Reset()
	for i := 0; i < len(fields); i += 2 {
		_ = p.enc.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	b := p.block.Bytes()
	first := b[:min(len(b), 16384)]
	if len(b) > 10 && p.block.Len()%3 == 0 {
		first = b[:10] // the rest in a CONTINUATION
	}
	_ = p.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: st.id, BlockFragment: first, EndHeaders: len(first) == len(b), EndStream: end})
	for b = b[len(first):]; len(b) > 0; {
		n := min(len(b), 16384)
		_ = p.fr.WriteContinuation(st.id, n == len(b), b[:n])
		b = b[n:]
	}
	st.sentEnd = st.sentEnd || end
	p.cond.Broadcast()
}

// say writes HEADERS, unless the stream is over.
func (st *h2stream) say(end bool, fields ...string) bool {
	st.p.mu.Lock()
	defer st.p.mu.Unlock()
	if st.p.err != nil || st.reset != nil || st.weReset {
		return false
	}
	st.fields(end, fields...)
	return true
}

// cancel resets the stream. p.mu is held.
func (st *h2stream) cancel(code http2.ErrCode) {
	if st.weReset || st.p.err != nil {
		return
	}
	st.weReset = true
	_ = st.p.fr.WriteRSTStream(st.id, code)
	st.end()
}

func (st *h2stream) giveUp(code http2.ErrCode) {
	st.p.mu.Lock()
	defer st.p.mu.Unlock()
	st.cancel(code)
}

// send sends n bytes of a body, as the windows allow, and reports whether all were sent. stop says that there is no more
// need.
func (st *h2stream) send(f *filler, n int, end bool, rng *rand.Rand, stop func() bool) bool {
	p := st.p
	for n > 0 || end {
		p.mu.Lock()
		for p.err == nil && st.reset == nil && !st.weReset && !stop() && (p.out.Len() > 64<<10 || n > 0 && min(p.sendWin, st.sendWin) <= 0) {
			p.cond.Wait()
		}
		if p.err != nil || st.reset != nil || st.weReset || stop() {
			p.mu.Unlock()
			return false
		}
		k := 0
		if n > 0 {
			k = int(min(int64(n), p.sendWin, st.sendWin, int64(p.peerFrame)))
			if rng.IntN(2) == 0 {
				k = 1 + rng.IntN(k)
			}
		}
		last := end && k == n
		if pad := rng.IntN(200); pad < 20 && int64(k+pad+1) <= min(p.sendWin, st.sendWin, int64(p.peerFrame)) {
			_ = p.fr.WriteDataPadded(st.id, last, f.next(k), make([]byte, pad))
			p.sendWin -= int64(k + pad + 1)
			st.sendWin -= int64(k + pad + 1)
		} else {
			_ = p.fr.WriteData(st.id, last, f.next(k))
			p.sendWin -= int64(k)
			st.sendWin -= int64(k)
		}
		n -= k
		st.sentEnd = last
		p.cond.Broadcast()
		p.mu.Unlock()
		if last {
			return true
		}
		if rng.IntN(50) == 0 {
			time.Sleep(time.Duration(rng.IntN(1000)) * time.Microsecond) // plays a slow peer
		}
	}
	return true
}
