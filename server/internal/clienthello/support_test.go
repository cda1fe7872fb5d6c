package clienthello_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/sluice-gateway/sluice/server/internal/clienthello"
)

// Vectors of TLS: a value behind its length in one, two or three bytes.
func vec8(parts ...string) string {
	s := strings.Join(parts, "")
	return string([]byte{byte(len(s))}) + s
}

func vec16(parts ...string) string {
	s := strings.Join(parts, "")
	return string([]byte{byte(len(s) >> 8), byte(len(s))}) + s
}

func vec24(parts ...string) string {
	s := strings.Join(parts, "")
	return string([]byte{byte(len(s) >> 16), byte(len(s) >> 8), byte(len(s))}) + s
}

// Parts of a hello that most rows have.
const (
	head    = "\x03\x03rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr" // version, random
	suites  = "\x00\x02\x13\x01"
	nocomp  = "\x01\x00"
	session = "\x00"
	plain   = head + session + suites + nocomp
)

// message builds a handshake message of type ClientHello.
func message(parts ...string) string { return "\x01" + vec24(parts...) }

// hello builds the message of a plain hello with these extensions.
func hello(extensions ...string) string { return message(plain, vec16(extensions...)) }

// ext builds an extension.
func ext(kind int, parts ...string) string {
	return string([]byte{byte(kind >> 8), byte(kind)}) + vec16(parts...)
}

// sni builds a server_name extension, alpn one of that name, versions a supported_versions.
func sni(name string) string { return ext(0, vec16("\x00", vec16(name))) }

func alpn(names ...string) string {
	list := ""
	for _, name := range names {
		list += vec8(name)
	}
	return ext(16, vec16(list))
}

func versions(list ...uint16) string {
	var b []byte
	for _, v := range list {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return ext(43, vec8(string(b)))
}

// records cuts a message into records of at most size bytes.
func records(message string, size int) string {
	var b strings.Builder
	for part := range chunks(message, size) {
		b.WriteString("\x16\x03\x01" + vec16(part))
	}
	return b.String()
}

func chunks(s string, size int) func(func(string) bool) {
	return func(yield func(string) bool) {
		for len(s) > size {
			if !yield(s[:size]) {
				return
			}
			s = s[size:]
		}
		yield(s)
	}
}

// record puts a message into one record, so far as it fits.
func record(message string) string { return records(message, 1<<14) }

// parse parses all of raw at once.
func parse(raw []byte) (*clienthello.Hello, clienthello.Status) {
	h := new(clienthello.Hello)
	return h, clienthello.Parse(h, raw, clienthello.Limits{})
}

// describe writes a result in one line: length, version, name, then what is set, or why it was refused.
func describe(h *clienthello.Hello, st clienthello.Status) string {
	if st != clienthello.Done {
		return st.String()
	}
	return fmt.Sprintf("%d %s", h.Len, meaning(h))
}

// meaning is the content of a Hello, apart from its records.
func meaning(h *clienthello.Hello) string {
	s := fmt.Sprintf("%04x name=%s", h.Version, h.ServerName())
	for _, f := range []struct {
		name string
		set  bool
	}{{"alpn", h.ALPN}, {"h2", h.H2}, {"http/1.1", h.HTTP11}, {"ech", h.ECH}} {
		if f.set {
			s += " " + f.name
		}
	}
	return s
}

// splitFault gives raw to Parse in growing pieces, in new memory each time, and to fresh Hellos, and
// returns what is wrong: each result must be Incomplete, or that of the whole and then stay so.
func splitFault(raw []byte, step int, lim clienthello.Limits) string {
	var whole, growing clienthello.Hello
	wantSt := clienthello.Parse(&whole, raw, lim)
	want := describe(&whole, wantSt)
	for n := 0; ; n = min(n+step, len(raw)) {
		piece := bytes.Clone(raw[:n])
		st := clienthello.Parse(&growing, piece, lim)
		var fresh clienthello.Hello
		if once := clienthello.Parse(&fresh, piece, lim); once != st {
			return fmt.Sprintf("%x: at %d growing %v, at once %v", raw, n, st, once)
		}
		if st != clienthello.Incomplete && (st != wantSt || describe(&growing, st) != want || describe(&fresh, st) != want) {
			return fmt.Sprintf("%x: at %d got %s\nwant %s", raw, n, describe(&growing, st), want)
		}
		if st == clienthello.Incomplete && n >= max(lim.MaxBytes, clienthello.MinMaxBytes) && lim.MaxBytes > 0 {
			return fmt.Sprintf("%x: %d bytes are not enough", raw, n)
		}
		if n == len(raw) {
			if st != wantSt {
				return fmt.Sprintf("%x: in the end %v, want %v", raw, st, wantSt)
			}
			return ""
		}
	}
}
