package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"strconv"
	"time"

	"github.com/sluice-gateway/sluice/server"
)

// session is that of somebody who has signed in: the plain text of its cookie. Immutable once made.
type session struct {
	Subject string `json:"s"`
	// Said are the claims that fields come of, by claim.
	Said map[string]string `json:"c,omitempty"`
	// Renew is when tokens are to be renewed, with Refresh; zero for never. Ends is when the person has to sign in again.
	Renew   int64  `json:"r,omitempty"`
	Ends    int64  `json:"e"`
	Refresh string `json:"f,omitempty"`
	Access  string `json:"a,omitempty"`

	// fields are what Backends are sent.
	fields [][2]string
	// cookies are what the browser is to be sent, because its own are old: lines.
	cookies []byte
}

// sessions are those whose cookies a loop has opened, by the digest of these.
type sessions map[[sha256.Size]byte]*session

const (
	// maxSessions bounds them, for one Login.
	maxSessions = 1024
	// maxChunk bounds the value of one cookie, because browsers take 4096 bytes with its name and attributes, and maxChunks the
	// cookies of a session: a head of all of them is still taken by servers.
	maxChunk  = 3800
	maxChunks = 4
)

// gather returns the text of the session's cookies, in memory of the loop until the next call, nil where there is none or a part is
// missing. The first cookie begins with the number of all.
//
// hot: runs per request; no alloc, no lock.
func (l *Login) gather(x *server.Exchange, m *memory) []byte {
	first := cookieOf(x, l.names[0])
	if len(first) < 2 || first[0] < '1' || first[0] > '0'+maxChunks {
		return nil
	}
	m.text = append(m.text[:0], first[1:]...)
	for i := 1; i < int(first[0]-'0'); i++ {
		part := cookieOf(x, l.names[i])
		if len(part) == 0 {
			return nil
		}
		m.text = append(m.text, part...)
	}
	return m.text
}

// open returns the session of a text, nil where it is none of this Login.
func (l *Login) open(text []byte, secure bool) *session {
	plain, old := l.sealer.open(l.purpose, text)
	if plain == nil {
		return nil
	}
	s := &session{}
	if json.Unmarshal(plain, s) != nil {
		return nil
	}
	l.complete(s)
	if old {
		s.cookies, _ = l.cookies(s, secure)
	}
	return s
}

// complete makes what a session has beside its text.
func (l *Login) complete(s *session) {
	for _, f := range l.fields {
		if text := s.Said[f.claim]; text != "" {
			s.fields = append(s.fields, [2]string{f.text, text})
		}
	}
	if l.p.ForwardToken && s.Access != "" {
		s.fields = append(s.fields, [2]string{"Authorization", "Bearer " + s.Access})
	}
}

// newSession makes the session of a person; old is the one that it goes on, nil for none. It is nil where the person may not come in.
func (l *Login) newSession(who *person, old *session, now time.Time) *session {
	s := &session{Subject: who.subject, Ends: now.Add(l.p.Session).Unix(), Refresh: who.tokens.RefreshToken, Said: map[string]string{}}
	if old != nil {
		s.Ends = old.Ends
		if who.named && who.subject != old.Subject {
			return nil
		}
		if !who.named {
			s.Subject, s.Said = old.Subject, old.Said
		}
	}
	if who.named {
		for _, c := range l.claims {
			if !who.claims.Has(c.claim, c.text) {
				return nil
			}
		}
		for _, f := range l.fields {
			if text, ok := who.claims.Text(f.claim); ok && text != "" {
				s.Said[f.claim] = text
			}
		}
	}
	if s.Refresh != "" && !who.tokens.Expiry.IsZero() {
		s.Renew = max(who.tokens.Expiry.Unix(), now.Unix()+1)
	}
	if l.p.ForwardToken && sendableToken(who.tokens.AccessToken) {
		s.Access = who.tokens.AccessToken
	}
	l.complete(s)
	return s
}

// sendableToken reports whether a token can stand in a field.
func sendableToken(token string) bool {
	return bytes.IndexFunc([]byte(token), func(r rune) bool { return r <= ' ' || r >= 0x7f }) < 0
}

// cookies returns the lines that give a browser a session; ok is false where it is too large.
func (l *Login) cookies(s *session, secure bool) (lines []byte, ok bool) {
	plain, err := json.Marshal(s)
	if err != nil {
		return nil, false
	}
	text := l.sealer.seal(l.purpose, plain)
	n := (len(text) + maxChunk - 1) / maxChunk
	if n > maxChunks {
		return nil, false
	}
	age := max(1, s.Ends-time.Now().Unix())
	text = strconv.Itoa(n) + text
	for i := range n {
		end := min(len(text), maxChunk+1)
		lines = appendCookie(lines, l.names[i], text[:end], age, secure)
		text = text[end:]
	}
	return lines, true
}

// forget returns the lines that take a session away from a browser.
func (l *Login) forget(secure bool) (lines []byte) {
	for i := range maxChunks {
		lines = appendCookie(lines, l.names[i], "", 0, secure)
	}
	return lines
}

func appendCookie(b []byte, name, value string, age int64, secure bool) []byte {
	b = append(append(append(append(b, "Set-Cookie: "...), name...), '='), value...)
	b = strconv.AppendInt(append(b, "; Path=/; Max-Age="...), age, 10)
	b = append(b, "; HttpOnly; SameSite=Lax"...)
	if secure {
		b = append(b, "; Secure"...)
	}
	return append(b, "\r\n"...)
}
