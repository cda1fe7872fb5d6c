package source

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// plainText returns a file's text as UTF-8 without a byte order mark. Windows writes UTF-16, which is
// converted where a byte order mark announces it; bytes that cannot be text are refused, because the
// parsers end at them, or read something else than the editor shows.
func plainText(raw []byte) ([]byte, error) {
	switch {
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE, 0, 0}), bytes.HasPrefix(raw, []byte{0, 0, 0xFE, 0xFF}):
		return nil, errors.New("the file is UTF-32; save it as UTF-8")
	case bytes.HasPrefix(raw, []byte{0xFF, 0xFE}):
		return fromUTF16(raw[2:], func(b []byte) uint16 { return uint16(b[0]) | uint16(b[1])<<8 })
	case bytes.HasPrefix(raw, []byte{0xFE, 0xFF}):
		return fromUTF16(raw[2:], func(b []byte) uint16 { return uint16(b[1]) | uint16(b[0])<<8 })
	}
	return checkText(bytes.TrimPrefix(raw, []byte("\uFEFF")))
}

func fromUTF16(raw []byte, unit func([]byte) uint16) ([]byte, error) {
	if len(raw)%2 != 0 {
		return nil, errors.New("the file is UTF-16 that ends within a character; save it as UTF-8")
	}
	text := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i += 2 {
		r := rune(unit(raw[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 > len(raw) {
				return nil, errors.New("the file is UTF-16 with half of a character in it; save it as UTF-8")
			}
			if r = utf16.DecodeRune(r, rune(unit(raw[i+2:]))); r == utf8.RuneError {
				return nil, errors.New("the file is UTF-16 with half of a character in it; save it as UTF-8")
			}
			i += 2
		}
		text = utf8.AppendRune(text, r)
	}
	return checkText(text)
}

func checkText(text []byte) ([]byte, error) {
	if i := bytes.IndexFunc(text, isControl); i >= 0 {
		if text[i] == 0 {
			return nil, fmt.Errorf("line %d: a zero byte; the file is not text, or it is UTF-16 without a byte order mark: save it as UTF-8", lineOf(text, i))
		}
		return nil, fmt.Errorf("line %d: a control character; remove it", lineOf(text, i))
	}
	if !utf8.Valid(text) {
		return nil, fmt.Errorf("line %d: bytes that are not UTF-8; save the file as UTF-8", lineOf(text, firstInvalid(text)))
	}
	return text, nil
}

func isControl(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7F
}

func firstInvalid(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(text)
}

// lineOf counts lines from 1 as editors do: they end in LF, CR LF or CR.
func lineOf(text []byte, at int) int {
	before := text[:at]
	return 1 + bytes.Count(before, []byte("\n")) + bytes.Count(before, []byte("\r")) - bytes.Count(before, []byte("\r\n"))
}
