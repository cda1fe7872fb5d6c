package hpack_test

import (
	"bytes"
	"testing"

	"github.com/sluice-gateway/sluice/server/internal/hpack"
	xnet "golang.org/x/net/http2/hpack"
)

// message is a header section, with its fields also in x/net's form.
type message struct {
	name   string
	fields []struct{ name, value []byte }
	xnet   []xnet.HeaderField
}

func newMessage(name string, fields ...string) message {
	m := message{name: name}
	for i := 0; i < len(fields); i += 2 {
		m.fields = append(m.fields, struct{ name, value []byte }{[]byte(fields[i]), []byte(fields[i+1])})
		m.xnet = append(m.xnet, xnet.HeaderField{Name: fields[i], Value: fields[i+1]})
	}
	return m
}

var messages = []message{
	newMessage("browser",
		":method", "GET", ":authority", "www.example.com", ":scheme", "https", ":path", "/assets/app.3f9c2b.js?v=20261123",
		"sec-ch-ua", `"Chromium";v="142", "Not_A Brand";v="99"`, "sec-ch-ua-mobile", "?0", "sec-ch-ua-platform", `"Linux"`,
		"user-agent", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
		"accept", "*/*", "sec-fetch-site", "same-origin", "sec-fetch-mode", "no-cors", "sec-fetch-dest", "script",
		"referer", "https://www.example.com/", "accept-encoding", "gzip, deflate, br, zstd", "accept-language", "en-GB,en;q=0.9",
		"cookie", "session=6f1c2a9e8b7d4e5f9a0b1c2d3e4f5a6b", "priority", "u=2"),
	newMessage("h2load",
		":method", "GET", ":scheme", "http", ":authority", "127.0.0.1:8080", ":path", "/",
		"user-agent", "h2load nghttp2/1.52.0", "accept", "*/*", "accept-encoding", "gzip, deflate", "x-test", "1"),
	newMessage("grpc",
		":method", "POST", ":scheme", "http", ":path", "/helloworld.Greeter/SayHello", ":authority", "greeter.default.svc:50051",
		"content-type", "application/grpc", "user-agent", "grpc-go/1.79.0", "te", "trailers", "grpc-timeout", "999834u"),
	newMessage("response",
		":status", "200", "server", "sluice", "date", "Mon, 23 Nov 2026 04:00:00 GMT", "content-type", "text/html; charset=utf-8",
		"content-length", "1234", "vary", "accept-encoding"),
}

// steadyBlock is the block of a message on a connection that has seen it before, and the Decoder and
// x/net's that saw it.
func steadyBlock(b *testing.B, m message, theirs *xnet.Decoder) (hpack.Decoder, []byte) {
	var block bytes.Buffer
	e := xnet.NewEncoder(&block)
	d := hpack.NewDecoder()
	for range 3 {
		block.Reset()
		for _, f := range m.xnet {
			// As clients do: the fields that vary are not indexed by them either.
			f.Sensitive = f.Name == "grpc-timeout" || f.Name == ":path" && m.name == "browser"
			if err := e.WriteField(f); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := decode(&d, block.Bytes()); err != hpack.ErrNone {
			b.Fatal(err)
		}
		if _, err := theirs.Write(block.Bytes()); err != nil {
			b.Fatal(err)
		}
	}
	return d, block.Bytes()
}

func BenchmarkDecode(b *testing.B) {
	for _, m := range messages {
		theirs := xnet.NewDecoder(hpack.DefaultTableSize, func(xnet.HeaderField) {})
		d, block := steadyBlock(b, m, theirs)
		b.Run(m.name+"/sluice", func(b *testing.B) {
			b.ReportAllocs()
			var f hpack.Field
			for b.Loop() {
				pos, err := d.Begin(block)
				for err == hpack.ErrNone && pos < len(block) {
					pos, err = d.Next(block, pos, &f)
				}
				if err != hpack.ErrNone {
					b.Fatal(err)
				}
			}
		})
		// Each name and value is copied to where the caller keeps it.
		b.Run(m.name+"/sluice copied", func(b *testing.B) {
			b.ReportAllocs()
			var f hpack.Field
			arena := make([]byte, 0, 8192)
			for b.Loop() {
				arena = arena[:0]
				pos, err := d.Begin(block)
				for err == hpack.ErrNone && pos < len(block) {
					pos, err = d.Next(block, pos, &f)
					arena = append(append(arena, f.Name...), f.Value...)
				}
				if err != hpack.ErrNone {
					b.Fatal(err)
				}
			}
		})
		b.Run(m.name+"/xnet", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := theirs.Write(block); err != nil {
					b.Fatal(err)
				}
				if err := theirs.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	for _, m := range messages {
		b.Run(m.name+"/sluice", func(b *testing.B) {
			b.ReportAllocs()
			e := hpack.NewEncoder(hpack.DefaultTableSize)
			var out []byte
			for b.Loop() {
				out = e.Begin(out[:0])
				for i := range m.fields {
					f := &m.fields[i]
					out = e.AppendField(out, f.name, f.value, hpack.IndexAuto)
				}
			}
			b.ReportMetric(float64(len(out)), "bytes")
		})
		b.Run(m.name+"/sluice folded", func(b *testing.B) {
			b.ReportAllocs()
			e := hpack.NewEncoder(hpack.DefaultTableSize)
			var out []byte
			for b.Loop() {
				out = e.Begin(out[:0])
				for i := range m.fields {
					f := &m.fields[i]
					out = e.AppendFolded(out, f.name, f.value, hpack.IndexAuto)
				}
			}
		})
		b.Run(m.name+"/xnet", func(b *testing.B) {
			b.ReportAllocs()
			var out bytes.Buffer
			e := xnet.NewEncoder(&out)
			for b.Loop() {
				out.Reset()
				for _, f := range m.xnet {
					if err := e.WriteField(f); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(out.Len()), "bytes")
		})
	}
	// As a caller does that knows its names by number.
	b.Run("response/by number", func(b *testing.B) {
		b.ReportAllocs()
		e := hpack.NewEncoder(hpack.DefaultTableSize)
		server, date := []byte("sluice"), []byte("Mon, 23 Nov 2026 04:00:00 GMT")
		contentType, vary := []byte("text/html; charset=utf-8"), []byte("accept-encoding")
		var out []byte
		for b.Loop() {
			out = e.Begin(out[:0])
			out = e.AppendStatus(out, 200)
			out = e.AppendKnown(out, hpack.NameServer, server, hpack.IndexAuto)
			out = e.AppendKnown(out, hpack.NameDate, date, hpack.IndexAuto)
			out = e.AppendKnown(out, hpack.NameContentType, contentType, hpack.IndexAuto)
			out = e.AppendUint(out, hpack.NameContentLength, 1234)
			out = e.AppendKnown(out, hpack.NameVary, vary, hpack.IndexAuto)
		}
	})
	// The worst case: every field is inserted and pushes another out.
	b.Run("insertion", func(b *testing.B) {
		b.ReportAllocs()
		e := hpack.NewEncoder(hpack.DefaultTableSize)
		value := []byte("value-00000000")
		var out []byte
		for i := uint32(0); b.Loop(); i++ {
			value[6], value[7], value[8] = byte('0'+i%10), byte('0'+i/10%10), byte('0'+i/100%10)
			out = e.AppendField(out[:0], []byte("x-other"), value, hpack.IndexYes)
		}
	})
}

func BenchmarkHuffman(b *testing.B) {
	text := []byte("/assets/images/2026/11/hero-banner.webp?width=1280&quality=80")
	code := hpack.AppendHuffman(nil, text)
	out := make([]byte, 0, 256)
	b.Run("decode/sluice", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			out, _ = hpack.AppendDecoded(out[:0], code)
		}
	})
	b.Run("decode/xnet", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		var buf bytes.Buffer
		for b.Loop() {
			buf.Reset()
			if _, err := xnet.HuffmanDecode(&buf, code); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode/long codes", func(b *testing.B) {
		rare := hpack.AppendHuffman(nil, bytes.Repeat([]byte{0x0a, 0x16, 0xf9, 0x80}, 15))
		b.SetBytes(60)
		for b.Loop() {
			out, _ = hpack.AppendDecoded(out[:0], rare)
		}
	})
	b.Run("encode/sluice", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			out = hpack.AppendHuffman(out[:0], text)
		}
	})
	b.Run("encode/xnet", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		s := string(text)
		for b.Loop() {
			out = xnet.AppendHuffmanString(out[:0], s)
		}
	})
}
