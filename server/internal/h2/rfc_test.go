package h2

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// exchange is one row of the specification: a peer's frames, and the answer.
type exchange struct {
	name   string
	send   func(p *peer)
	events string // joined by "; "
	out    string // joined by "; "
}

func runExchanges(t *testing.T, server bool, config Config, rows []exchange) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			p := newPeer(t, config, server)
			row.send(p)
			p.flush()
			if got := strings.Join(p.r.log, "; "); got != row.events {
				t.Errorf("events:\n got %s\nwant %s", got, row.events)
			}
			if got := strings.Join(p.frames(), "; "); got != row.out {
				t.Errorf("output:\n got %s\nwant %s", got, row.out)
			}
			if dead := strings.Contains(row.out, "GOAWAY"); dead != (p.c.Err() != nil) {
				t.Errorf("error %v", p.c.Err())
			}
		})
	}
}

const getEvent = "1 request GET / host=a end"
const postEvent = "1 request POST / host=a"

func TestStreamStates(t *testing.T) { // RFC 9113 section 5.1
	runExchanges(t, true, Config{}, []exchange{
		{"idle: DATA", func(p *peer) { p.f.WriteData(1, true, []byte("x")) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"idle: RST_STREAM", func(p *peer) { p.f.WriteRSTStream(1, 8) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"idle: WINDOW_UPDATE", func(p *peer) { p.f.WriteWindowUpdate(1, 8) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"idle: PRIORITY", func(p *peer) { p.f.WritePriority(1, http2.PriorityParam{StreamDep: 3}) }, "", ""},
		{"idle: CONTINUATION", func(p *peer) { p.f.WriteContinuation(1, true, p.block(get...)) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"idle: HEADERS of a server's stream", func(p *peer) { p.headers(2, true, get...) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"half-closed: DATA", func(p *peer) {
			p.headers(1, true, get...)
			p.f.WriteData(1, true, []byte("x"))
		}, getEvent + "; 1 fault frame on a closed stream", "1 RST STREAM_CLOSED"},
		{"half-closed: HEADERS", func(p *peer) {
			p.headers(1, true, get...)
			p.headers(1, true, get...)
		}, getEvent + "; 1 fault frame on a closed stream", "1 RST STREAM_CLOSED"},
		{"half-closed: WINDOW_UPDATE, PRIORITY", func(p *peer) {
			p.headers(1, true, get...)
			p.f.WriteWindowUpdate(1, 8)
			p.f.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		}, getEvent, ""},
		{"half-closed: RST_STREAM", func(p *peer) {
			p.headers(1, true, get...)
			p.f.WriteRSTStream(1, 8)
		}, getEvent + "; 1 reset CANCEL", ""},
		{"reset by the peer: DATA", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteRSTStream(1, 8)
			p.f.WriteData(1, true, []byte("x"))
		}, postEvent + "; 1 reset CANCEL", "1 RST STREAM_CLOSED"},
		{"reset by the peer: HEADERS", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteRSTStream(1, 8)
			p.headers(1, true, post...)
		}, postEvent + "; 1 reset CANCEL", "1 RST STREAM_CLOSED"},
		{"reset by the peer: WINDOW_UPDATE, RST_STREAM", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteRSTStream(1, 8)
			p.f.WriteWindowUpdate(1, 8)
			p.f.WriteRSTStream(1, 8)
		}, postEvent + "; 1 reset CANCEL", ""},
		{"reset by us: what is on its way is ignored, and decoded", func(p *peer) {
			p.r.do = func(e string, s *Stream) {
				if strings.HasPrefix(e, "1 request") {
					p.c.Reset(s, Cancel)
					p.c.Release(s)
				}
			}
			p.headers(1, false, post...)
			p.f.WriteData(1, false, []byte("x"))
			p.headers(1, true, "x-new=1")
			p.headers(3, true, with(get, "x-new=1")...)
		}, postEvent + "; 3 request GET / host=a x-new=1 end", "1 RST CANCEL"},
		{"ended: DATA", func(p *peer) {
			p.r.do = answer(p)
			p.headers(1, true, get...)
			p.f.WriteData(1, true, []byte("x"))
		}, getEvent, "1 HEADERS :status=200 end; 1 RST STREAM_CLOSED"},
		{"ended: HEADERS", func(p *peer) {
			p.r.do = answer(p)
			p.headers(1, true, get...)
			p.headers(1, true, get...)
		}, getEvent, "1 HEADERS :status=200 end; GOAWAY 1 STREAM_CLOSED"},
		{"ended: WINDOW_UPDATE, RST_STREAM, PRIORITY", func(p *peer) {
			p.r.do = answer(p)
			p.headers(1, true, get...)
			p.f.WriteWindowUpdate(1, 8)
			p.f.WriteRSTStream(1, 8)
			p.f.WritePriority(1, http2.PriorityParam{StreamDep: 3})
		}, getEvent, "1 HEADERS :status=200 end"},
		{"answered before the request ended", func(p *peer) {
			p.r.do = answer(p)
			p.headers(1, false, post...)
			p.f.WriteData(1, false, []byte("x"))
		}, postEvent, "1 HEADERS :status=200 end; 1 RST NO_ERROR"},
		{"ids go up", func(p *peer) { // section 5.1.1
			p.headers(5, true, get...)
			p.headers(3, true, get...)
		}, "5 request GET / host=a end", "GOAWAY 5 PROTOCOL_ERROR"},
	})
}

// answer is a handler that answers at once, and releases the stream.
func answer(p *peer) func(string, *Stream) {
	return func(e string, s *Stream) {
		if strings.Contains(e, " request ") {
			p.c.WriteHead(s, 200, Outgoing{}, true)
			p.c.Release(s)
		}
	}
}

func TestConcurrency(t *testing.T) { // section 5.1.2
	runExchanges(t, true, Config{MaxStreams: 2}, []exchange{
		{"one too many", func(p *peer) {
			for id := uint32(1); id <= 7; id += 2 {
				p.headers(id, true, with(get, "x-id=1")...)
			}
		}, "1 request GET / host=a x-id=1 end; 3 request GET / host=a x-id=1 end; 0 fault too many streams; 0 fault too many streams",
			"5 RST REFUSED_STREAM; 7 RST REFUSED_STREAM"},
	})
}

func TestFraming(t *testing.T) { // sections 3.4, 4 and 6
	long := strings.Repeat("x", maxFrame+1)
	runExchanges(t, true, Config{}, []exchange{
		{"4.1: an unknown type is ignored", func(p *peer) { p.raw(0x42, 0xff, 7, "abc"); p.headers(1, true, get...) }, getEvent, ""},
		{"4.1: reserved bits are ignored", func(p *peer) {
			b := p.block(get...)
			p.in.Write(appendFrameHeader(nil, len(b), frameHeaders, flagEndHeaders|flagEndStream|0xc2, 1|1<<31))
			p.in.Write(b)
		}, getEvent, ""},
		{"4.2: DATA too long", func(p *peer) { p.headers(1, false, post...); p.raw(frameData, 0, 1, long) }, postEvent, "GOAWAY 1 FRAME_SIZE_ERROR"},
		{"4.2: HEADERS too long", func(p *peer) { p.raw(frameHeaders, 4, 1, long) }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"4.2: an unknown type too long", func(p *peer) { p.raw(0x42, 4, 1, long) }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"4.3: malformed block", func(p *peer) { p.raw(frameHeaders, 5, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff") }, "", "GOAWAY 1 COMPRESSION_ERROR"},
		{"4.3: another frame inside a block", func(p *peer) { p.raw(frameHeaders, 1, 1, ""); p.f.WritePing(false, [8]byte{}) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"4.3: an unknown frame inside a block", func(p *peer) { p.raw(frameHeaders, 1, 1, ""); p.raw(0x42, 0, 0, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"4.3: DATA inside a block", func(p *peer) { p.raw(frameHeaders, 1, 1, ""); p.raw(frameData, 0, 1, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"4.3: another stream's CONTINUATION", func(p *peer) { p.raw(frameHeaders, 1, 1, ""); p.raw(frameContinuation, 4, 3, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.1: DATA on stream 0", func(p *peer) { p.raw(frameData, 0, 0, "x") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.1: padding is not delivered", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteDataPadded(1, true, []byte("xyz"), make([]byte, 100))
		}, postEvent + "; 1 data 3 end", ""},
		{"6.1: nothing but padding", func(p *peer) {
			p.headers(1, false, post...)
			p.f.WriteDataPadded(1, false, nil, make([]byte, 100))
			p.f.WriteData(1, true, nil)
		}, postEvent + "; 1 data 0 end", ""},
		{"6.1: padding too long", func(p *peer) { p.headers(1, false, post...); p.raw(frameData, flagPadded, 1, "\x03ab") }, postEvent, "GOAWAY 1 PROTOCOL_ERROR"},
		{"6.1: no room for the padding's length", func(p *peer) { p.headers(1, false, post...); p.raw(frameData, flagPadded, 1, "") }, postEvent, "GOAWAY 1 FRAME_SIZE_ERROR"},
		{"6.2: HEADERS on stream 0", func(p *peer) { p.raw(frameHeaders, 5, 0, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.2: padding and priority", func(p *peer) {
			p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block(get...), EndStream: true, EndHeaders: true,
				PadLength: 9, Priority: http2.PriorityParam{StreamDep: 3, Weight: 1}})
		}, getEvent, ""},
		{"6.2: padding too long", func(p *peer) { p.raw(frameHeaders, 5|flagPadded, 1, "\x03ab") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.2: no room for the priority", func(p *peer) { p.raw(frameHeaders, 5|flagPriority, 1, "abcd") }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"6.3: PRIORITY of a wrong length", func(p *peer) { p.headers(1, true, get...); p.raw(framePriority, 0, 1, "abcd") },
			getEvent + "; 1 fault frame of a wrong length", "1 RST FRAME_SIZE_ERROR"},
		{"6.3: PRIORITY of a wrong length on an idle stream", func(p *peer) { p.raw(framePriority, 0, 1, "abcd") }, "", "1 RST FRAME_SIZE_ERROR"},
		{"5.3: PRIORITY depends on itself", func(p *peer) { p.raw(framePriority, 0, 1, "\x00\x00\x00\x01x") }, "", "1 RST PROTOCOL_ERROR"},
		{"6.3: PRIORITY on stream 0", func(p *peer) { p.raw(framePriority, 0, 0, "abcde") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"5.3: HEADERS depends on itself", func(p *peer) {
			p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: p.block(get...), EndStream: true, EndHeaders: true,
				Priority: http2.PriorityParam{StreamDep: 1}})
		}, "0 fault stream depends on itself", "1 RST PROTOCOL_ERROR"},
		{"6.4: RST_STREAM on stream 0", func(p *peer) { p.raw(frameResetStream, 0, 0, "abcd") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.4: RST_STREAM of a wrong length", func(p *peer) { p.headers(1, true, get...); p.raw(frameResetStream, 0, 1, "abc") }, getEvent, "GOAWAY 1 FRAME_SIZE_ERROR"},
		{"6.5: SETTINGS are acknowledged", func(p *peer) { p.f.WriteSettings(http2.Setting{ID: 0x99, Val: 1}) }, "settings", "SETTINGS ack=true"},
		{"6.5: SETTINGS on a stream", func(p *peer) { p.raw(frameSettings, 0, 1, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.5: SETTINGS of a wrong length", func(p *peer) { p.raw(frameSettings, 0, 0, "abcde") }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"6.5: an acknowledgement with settings", func(p *peer) { p.raw(frameSettings, 1, 0, "abcdef") }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"6.5: an acknowledgement of nothing", func(p *peer) { p.raw(frameSettings, 1, 0, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.5.2: ENABLE_PUSH", func(p *peer) { p.f.WriteSettings(http2.Setting{ID: 2, Val: 2}) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.5.2: INITIAL_WINDOW_SIZE", func(p *peer) { p.f.WriteSettings(http2.Setting{ID: 4, Val: 1 << 31}) }, "", "GOAWAY 0 FLOW_CONTROL_ERROR"},
		{"6.5.2: MAX_FRAME_SIZE too small", func(p *peer) { p.f.WriteSettings(http2.Setting{ID: 5, Val: 1<<14 - 1}) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.5.2: MAX_FRAME_SIZE too large", func(p *peer) { p.f.WriteSettings(http2.Setting{ID: 5, Val: 1 << 24}) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"RFC 8441: ENABLE_CONNECT_PROTOCOL", func(p *peer) { p.f.WriteSettings(http2.Setting{ID: 8, Val: 2}) }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.6: PUSH_PROMISE", func(p *peer) { p.raw(framePushPromise, 4, 1, "\x00\x00\x00\x02") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.7: PING", func(p *peer) { p.f.WritePing(false, [8]byte{1, 2}) }, "", "PING ack=true 0102000000000000"},
		{"6.7: PING's answer", func(p *peer) { p.f.WritePing(true, [8]byte{7: 9}) }, "pong 9", ""},
		{"6.7: PING on a stream", func(p *peer) { p.raw(framePing, 0, 1, "12345678") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.7: PING of a wrong length", func(p *peer) { p.raw(framePing, 0, 0, "1234567") }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"6.8: GOAWAY", func(p *peer) { p.f.WriteGoAway(0, 0, []byte("bye")); p.headers(1, true, get...) }, "goaway 0 NO_ERROR; " + getEvent, ""},
		{"6.8: GOAWAY on a stream", func(p *peer) { p.raw(frameGoAway, 0, 1, "12345678") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.8: GOAWAY too short", func(p *peer) { p.raw(frameGoAway, 0, 0, "1234567") }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"6.8: GOAWAY raises its last stream", func(p *peer) { p.f.WriteGoAway(2, 0, nil); p.f.WriteGoAway(4, 0, nil) }, "goaway 2 NO_ERROR", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.9: WINDOW_UPDATE of a wrong length", func(p *peer) { p.raw(frameWindowUpdate, 0, 0, "abc") }, "", "GOAWAY 0 FRAME_SIZE_ERROR"},
		{"6.9: WINDOW_UPDATE of 0", func(p *peer) { p.raw(frameWindowUpdate, 0, 0, "\x00\x00\x00\x00") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
		{"6.9: WINDOW_UPDATE of 0 on a stream", func(p *peer) { p.headers(1, true, get...); p.raw(frameWindowUpdate, 0, 1, "\x00\x00\x00\x00") },
			getEvent + "; 1 fault window update of 0", "1 RST PROTOCOL_ERROR"},
		{"6.9.1: the window overflows", func(p *peer) { p.f.WriteWindowUpdate(0, maxWindow) }, "", "GOAWAY 0 FLOW_CONTROL_ERROR"},
		{"6.9.1: a stream's window overflows", func(p *peer) { p.headers(1, true, get...); p.f.WriteWindowUpdate(1, maxWindow) },
			getEvent + "; 1 fault flow-control window exceeded", "1 RST FLOW_CONTROL_ERROR"},
		{"6.9.2: a stream's window overflows by SETTINGS", func(p *peer) {
			p.headers(1, true, get...)
			p.f.WriteWindowUpdate(1, 1000)
			p.f.WriteSettings(http2.Setting{ID: 4, Val: maxWindow})
		}, getEvent, "GOAWAY 1 FLOW_CONTROL_ERROR"},
		{"6.10: CONTINUATION", func(p *peer) {
			b := p.block(get...)
			p.f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: b[:3], EndStream: true})
			p.f.WriteContinuation(1, false, b[3:4])
			p.f.WriteContinuation(1, false, nil)
			p.f.WriteContinuation(1, true, b[4:])
		}, getEvent, ""},
		{"6.10: CONTINUATION without HEADERS", func(p *peer) { p.headers(1, true, get...); p.f.WriteContinuation(1, true, nil) }, getEvent, "GOAWAY 1 PROTOCOL_ERROR"},
		{"6.10: CONTINUATION on stream 0", func(p *peer) { p.raw(frameContinuation, 4, 0, "") }, "", "GOAWAY 0 PROTOCOL_ERROR"},
	})
}

func TestPreface(t *testing.T) { // section 3.4
	for _, c := range []struct {
		name, in string
		ok       bool
	}{
		{"right", Preface + string(appendFrameHeader(nil, 0, frameSettings, 0, 0)), true},
		{"HTTP/1", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false},
		{"wrong at its end", Preface[:23] + "x", false},
		{"no SETTINGS", Preface + string(appendFrameHeader(nil, 8, framePing, 0, 0)) + "12345678", false},
		{"SETTINGS acknowledged first", Preface + string(appendFrameHeader(nil, 0, frameSettings, flagAck, 0)), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := rawPeer(t, Config{}, true)
			p.in.WriteString(c.in)
			p.flush()
			if (p.err == nil) != c.ok {
				t.Errorf("got %v", p.err)
			}
			if out := p.frames(); out[0] != "SETTINGS ack=false" || c.ok && !slices.Contains(out, "SETTINGS ack=true") ||
				!c.ok && !slices.Contains(out, "GOAWAY 0 PROTOCOL_ERROR") {
				t.Errorf("output %q", out)
			}
		})
	}
}

func TestMalformedRequests(t *testing.T) { // section 8
	fault := func(f Fault) (string, string) { return "0 fault " + f.Reason(), "1 RST PROTOCOL_ERROR" }
	for _, c := range []struct {
		name   string
		fields []string
		want   Fault
	}{
		{"8.2.1: upper case", with(get, "X-A=1"), FaultFieldName},
		{"8.2.1: empty name", with(get, "=1"), FaultFieldName},
		{"8.2.1: space in a name", with(get, "x a=1"), FaultFieldName},
		{"8.2.1: CR LF in a name", with(get, "x\r\ny=1"), FaultFieldName},
		{"8.2.1: colon in a name", with(get, "x:y=1"), FaultFieldName},
		{"8.2.1: byte beyond ASCII in a name", with(get, "x\x80=1"), FaultFieldName},
		{"8.2.1: CR in a value", with(get, "x=a\rb"), FaultFieldValue},
		{"8.2.1: LF in a value", with(get, "x=a\nb"), FaultFieldValue},
		{"8.2.1: NUL in a value", with(get, "x=a\x00b"), FaultFieldValue},
		{"8.2.1: NUL behind eight bytes", with(get, "x=12345678\x00"), FaultFieldValue},
		{"8.2.1: space in front", with(get, "x= a"), FaultFieldValue},
		{"8.2.1: tab behind", with(get, "x=a\t"), FaultFieldValue},
		{"8.2.1: CR in a cookie", with(get, "cookie=a\r"), FaultFieldValue},
		{"8.2.2: connection", with(get, "connection=close"), FaultConnection},
		{"8.2.2: keep-alive", with(get, "keep-alive=1"), FaultConnection},
		{"8.2.2: proxy-connection", with(get, "proxy-connection=close"), FaultConnection},
		{"8.2.2: transfer-encoding", with(get, "transfer-encoding=chunked"), FaultConnection},
		{"8.2.2: upgrade", with(get, "upgrade=websocket"), FaultConnection},
		{"8.2.2: te", with(get, "te=gzip"), FaultConnection},
		{"8.2.2: te beside trailers", with(get, "te=trailers, gzip"), FaultConnection},
		{"8.3: unknown", with(get, ":x=1"), FaultPseudoUnknown},
		{"8.3: of a response", with(get, ":status=200"), FaultPseudoUnknown},
		{"8.3: late", []string{":method=GET", ":scheme=http", ":path=/", "x=1", ":authority=a"}, FaultPseudoLate},
		{"8.3.1: :method twice", with(get, ":method=GET"), FaultPseudoTwice},
		{"8.3.1: :path twice", with(get, ":path=/"), FaultPseudoTwice},
		{"8.3.1: :scheme twice", with(get, ":scheme=http"), FaultPseudoTwice},
		{"8.3.1: :authority twice", with(get, ":authority=a"), FaultPseudoTwice},
		{"8.3.1: no :method", get[1:], FaultPseudoMissing},
		{"8.3.1: no :scheme", []string{":method=GET", ":path=/", ":authority=a"}, FaultPseudoMissing},
		{"8.3.1: no :path", []string{":method=GET", ":scheme=http", ":authority=a"}, FaultPseudoMissing},
		{"8.3.1: nothing", nil, FaultPseudoMissing},
		{"8.3.1: only regular fields", []string{"host=a"}, FaultPseudoMissing},
		{"8.3.1: method with a space", []string{":method=GET /x HTTP/1.1", ":scheme=http", ":path=/", ":authority=a"}, FaultMethod},
		{"8.3.1: method empty", []string{":method=", ":scheme=http", ":path=/", ":authority=a"}, FaultMethod},
		{"8.3.1: scheme", []string{":method=GET", ":scheme=ftp", ":path=/", ":authority=a"}, FaultScheme},
		{"8.3.1: empty :path", []string{":method=GET", ":scheme=http", ":path=", ":authority=a"}, FaultTarget},
		{"8.3.1: :path without a slash", []string{":method=GET", ":scheme=http", ":path=a", ":authority=a"}, FaultTarget},
		{"8.3.1: absolute :path", []string{":method=GET", ":scheme=http", ":path=http://b/", ":authority=a"}, FaultTarget},
		{"8.3.1: * with GET", []string{":method=GET", ":scheme=http", ":path=*", ":authority=a"}, FaultTarget},
		{"8.3.1: fragment", []string{":method=GET", ":scheme=http", ":path=/#a", ":authority=a"}, FaultTarget},
		{"8.3.1: space in :path", []string{":method=GET", ":scheme=http", ":path=/ HTTP/1.1", ":authority=a"}, FaultTarget},
		{"8.3.1: CR LF in :path", []string{":method=GET", ":scheme=http", ":path=/\r\nx: y", ":authority=a"}, FaultTarget},
		{"8.3.1: NUL in the query", []string{":method=GET", ":scheme=http", ":path=/?\x00", ":authority=a"}, FaultTarget},
		{"8.3.1: no authority", []string{":method=GET", ":scheme=http", ":path=/"}, FaultAuthority},
		{"8.3.1: empty :authority", []string{":method=GET", ":scheme=http", ":path=/", ":authority="}, FaultAuthority},
		{"8.3.1: user information", []string{":method=GET", ":scheme=http", ":path=/", ":authority=u@a"}, FaultAuthority},
		{"8.3.1: CR LF in :authority", []string{":method=GET", ":scheme=http", ":path=/", ":authority=a\r\nx: y"}, FaultAuthority},
		{"8.3.1: malformed host", []string{":method=GET", ":scheme=http", ":path=/", "host=a/b"}, FaultAuthority},
		{"8.3.1: host differs", with(get, "host=b"), FaultHostConflict},
		{"8.3.1: host's port differs", with(get, "host=a:81"), FaultHostConflict},
		{"8.3.1: two hosts", []string{":method=GET", ":scheme=http", ":path=/", "host=a", "host=a"}, FaultHostConflict},
		{"8.1.1: content-length is no number", with(get, "content-length=+1"), FaultLength},
		{"8.1.1: two lengths", with(get, "content-length=0", "content-length=0"), FaultLength},
		{"8.1.1: a list of lengths", with(get, "content-length=0, 0"), FaultLength},
		{"8.1.1: length without a body", with(get, "content-length=1"), FaultLengthMismatch},
		{"8.5: CONNECT with :path", with(get[1:], ":method=CONNECT"), FaultPseudoMissing},
		{"8.5: CONNECT without :authority", []string{":method=CONNECT"}, FaultPseudoMissing},
		{"8.5: CONNECT without a port", []string{":method=CONNECT", ":authority=a"}, FaultAuthority},
		{"RFC 8441: not offered", with(get[1:], ":method=CONNECT", ":protocol=websocket"), FaultPseudoUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPeer(t, Config{}, true)
			p.headers(1, true, c.fields...)
			p.headers(3, true, get...) // HPACK is in step, and the connection lives
			p.flush()
			event, out := fault(c.want)
			if got := strings.Join(p.r.log, "; "); got != event+"; 3 request GET / host=a end" {
				t.Errorf("events %s, want %s", got, event)
			}
			if got := strings.Join(p.frames(), "; "); got != out {
				t.Errorf("output %s, want %s", got, out)
			}
		})
	}
}
