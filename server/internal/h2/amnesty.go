package h2

// amnesty counts the frames that a peer may still send on streams that we have reset, because they were on their way: RFC
// 9113 section 5.1 has them ignored. It is kept for the connection, and not for each stream: however many are reset at a
// time, no more is on its way than the connection's window allowed then, since an update that we send later reaches the
// peer behind the reset. So a peer never pays for frames that it was granted, and can send nothing beyond them for free.
type amnesty struct {
	data   int32 // bytes of DATA
	crumbs int32 // DATA frames with next to nothing in them; counted for clients only
	frames int32 // HEADERS, RST_STREAM, WINDOW_UPDATE and DATA without data
}

const (
	// framesBehindReset is how many frames without data may be on their way on one stream: an answer's head and
	// its trailers, an interim head or two, the end of the data, window updates, and a reset that crosses ours.
	framesBehindReset = 8
	// maxFramesBehind bounds these frames for all streams together, twice as many streams as may be
	// open by default.
	maxFramesBehind = 256 * framesBehindReset
	// DATA of less than tinyFrame is counted, too: a client that fills windows with single bytes had no data on
	// its way. A stream has someCrumbs, and one for each crumbShare bytes of its window.
	tinyFrame  = 33
	someCrumbs = 500
	crumbShare = 40
	maxCrumbs  = 1 << 20
)

// grant is called when we reset a stream. open is its window, conn the connection's: bytes that may still come.
func (a *amnesty) grant(open, conn int32) {
	open = max(open, 0)
	a.data = min(a.data+open, conn)
	a.crumbs = min(a.crumbs+min(open, someCrumbs+open/crumbShare), maxCrumbs)
	a.frames = min(a.frames+framesBehindReset, maxFramesBehind)
}

// takeData reports whether a DATA frame may have been on its way.
func (a *amnesty) takeData(n int32, client bool) bool {
	switch {
	case n == 0:
		return a.takeFrame()
	case n > a.data:
		return false
	case client && n < tinyFrame:
		if a.crumbs == 0 {
			return false
		}
		a.crumbs--
	}
	a.data -= n
	return true
}

// takeFrame reports whether another frame may have been on its way.
func (a *amnesty) takeFrame() bool {
	if a.frames == 0 {
		return false
	}
	a.frames--
	return true
}
