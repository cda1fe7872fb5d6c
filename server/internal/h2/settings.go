package h2

import (
	"encoding/binary"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
)

// Settings: RFC 9113 section 6.5.2, RFC 8441 section 3.
const (
	settingTableSize       = 0x1
	settingEnablePush      = 0x2
	settingMaxStreams      = 0x3
	settingInitialWindow   = 0x4
	settingMaxFrame        = 0x5
	settingMaxHead         = 0x6
	settingExtendedConnect = 0x8
)

// appendSettings appends our SETTINGS and the update that opens the connection's window.
func (c *Conn) appendSettings() {
	config := &c.shared.config
	b := c.room()
	start := len(b)
	b = append(b, make([]byte, frameHeaderLen)...)
	setting := func(id uint16, v uint32) {
		b = binary.BigEndian.AppendUint16(b, id)
		b = binary.BigEndian.AppendUint32(b, v)
	}
	if config.TableSize != hpack.DefaultTableSize {
		setting(settingTableSize, config.TableSize)
	}
	if c.client != nil {
		setting(settingEnablePush, 0)
	} else {
		setting(settingMaxStreams, config.MaxStreams)
		if config.ExtendedConnect {
			setting(settingExtendedConnect, 1)
		}
	}
	setting(settingInitialWindow, config.StreamWindow)
	setting(settingMaxHead, uint32(config.MaxHead))
	setFrameHeader(b[start:], len(b)-start-frameHeaderLen, frameSettings, 0, 0)
	if n := config.ConnWindow - defaultWindow; n > 0 {
		b = appendWord(b, frameWindowUpdate, 0, n)
	}
	c.recvOpen = int32(config.ConnWindow)
	c.unacked++
	c.out = b
}

// settings acts on the peer's SETTINGS: section 6.5.
func (c *Conn) settings(h frameHeader, p []byte) {
	switch {
	case h.stream != 0:
		c.fail(errStreamNotZero)
		return
	case h.has(flagAck):
		switch {
		case len(p) != 0:
			c.fail(errFrameLength)
		case c.unacked == 0:
			c.fail(errSettingsAck)
		default:
			c.unacked--
			c.decoder.d.SetTableSize(c.shared.config.TableSize)
		}
		return
	case len(p)%6 != 0:
		c.fail(errFrameLength)
		return
	case c.settled && !c.charge(FloodSettings):
		return
	}
	for ; len(p) > 0; p = p[6:] {
		if !c.setting(binary.BigEndian.Uint16(p), binary.BigEndian.Uint32(p[2:])) {
			return
		}
	}
	if !c.reply() {
		return
	}
	c.settled = true
	c.out = appendFrameHeader(c.out, 0, frameSettings, flagAck, 0)
	c.h.Settings()
}

func (c *Conn) setting(id uint16, v uint32) bool {
	switch id {
	case settingTableSize:
		c.encoder.e.SetTableSize(v)
	case settingEnablePush:
		if v > 1 || v == 1 && c.client != nil {
			return c.fail(errSettingValue)
		}
	case settingMaxStreams:
		c.peerStreams = v
	case settingInitialWindow:
		if v > maxWindow {
			return c.fail(errSettingWindow)
		}
		return c.initialWindow(int32(v))
	case settingMaxFrame: // our frames are never longer than the least allowed maximum
		if v < maxFrame || v > 1<<24-1 {
			return c.fail(errSettingValue)
		}
	case settingExtendedConnect:
		switch {
		case v > 1:
			return c.fail(errSettingValue)
		case v == 0 && c.peerExtended:
			return c.fail(errSettingExtended)
		}
		c.peerExtended = v == 1
	}
	return true // unknown settings are ignored, and SETTINGS_MAX_HEADER_LIST_SIZE is advice
}

// initialWindow changes the windows of all streams by as much as the initial one changed: section
// 6.9.2. They may become negative.
func (c *Conn) initialWindow(v int32) bool {
	delta := int64(v) - int64(c.peerWindow)
	c.peerWindow = v
	ok := true
	c.streams.all(func(s *Stream) bool {
		open := int64(s.sendOpen) + delta
		if open > maxWindow {
			ok = c.fail(errSettingsOverflow)
			return ok
		}
		s.sendOpen = int32(open)
		if s.starved && open > 0 {
			s.starved = false
			c.queue.push(s)
		}
		return true
	})
	return ok
}

// MaxStreams returns how many streams the peer lets us open at a time, a cautious guess before its SETTINGS came.
func (c *Conn) MaxStreams() int { return int(min(c.peerStreams, maxWindow)) }

// ExtendedConnect reports whether the peer takes extended CONNECT.
func (c *Conn) ExtendedConnect() bool { return c.peerExtended }

// Settled reports whether the peer's SETTINGS came.
func (c *Conn) Settled() bool { return c.settled }
