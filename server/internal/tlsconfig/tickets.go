package tlsconfig

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"sync"
	"time"
)

// Tickets are the keys of session tickets: one set for all loops and listeners, so that a client
// resumes wherever it arrives. A new key is made each period; a ticket is good until its key is
// accept periods old. Made by NewTickets; safe for concurrent use. Must not be copied.
type Tickets struct {
	// Immutable after NewTickets:
	accept int
	now    func() time.Time
	config *tls.Config // does the cryptography, with its own lock

	// Guarded by mu:
	mu     sync.Mutex
	period time.Duration
	keys   []ticketKey // newest first
}

type ticketKey struct {
	secret [32]byte
	made   time.Time
}

// NewTickets returns Tickets that make a key each period, and accept the last accept ones. The keys
// are made when they are first needed: there is no goroutine.
func NewTickets(period time.Duration, accept int) *Tickets {
	return newTickets(period, accept, time.Now)
}

func newTickets(period time.Duration, accept int, now func() time.Time) *Tickets {
	return &Tickets{accept: max(accept, 1), now: now, config: &tls.Config{}, period: period}
}

// SetPeriod changes the period. Keys that are too old by the new one are forgotten.
func (t *Tickets) SetPeriod(period time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.period = period
}

// rotate brings the keys up to date.
func (t *Tickets) rotate() {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	changed := false
	for n := len(t.keys); n > 0 && now.Sub(t.keys[n-1].made) >= time.Duration(t.accept)*t.period; n-- {
		t.keys = t.keys[:n-1]
		changed = true
	}
	if len(t.keys) == 0 || now.Sub(t.keys[0].made) >= t.period {
		k := ticketKey{made: now}
		// Read does not fail: crypto/rand ends the process where the system has no randomness.
		_, _ = rand.Read(k.secret[:])
		t.keys = append([]ticketKey{k}, t.keys...)
		t.keys = t.keys[:min(len(t.keys), t.accept)]
		changed = true
	}
	if !changed {
		return
	}
	secrets := make([][32]byte, len(t.keys))
	for i := range t.keys {
		secrets[i] = t.keys[i].secret
	}
	t.config.SetSessionTicketKeys(secrets)
}

// bound is the name and Policy that a ticket is valid for. crypto/tls resumes a session for whichever
// server name, and under whichever Config, its ticket decrypts; a client admitted under one Host's
// policy would be admitted under another's (RFC 6066, 3, forbids it for names).
type bound [16]byte

func bind(policy, name string) bound {
	sum := sha256.Sum256([]byte("sluice ticket\x00" + policy + "\x00" + name))
	return bound(sum[:])
}

// wrap encrypts a session into a ticket bound to b.
func (t *Tickets) wrap(cs tls.ConnectionState, ss *tls.SessionState, b bound) ([]byte, error) {
	t.rotate()
	ss.Extra = append(ss.Extra, b[:])
	return t.config.EncryptTicket(cs, ss)
}

// unwrap decrypts a ticket; nil means a full handshake.
func (t *Tickets) unwrap(ticket []byte, cs tls.ConnectionState, b bound) *tls.SessionState {
	t.rotate()
	ss, err := t.config.DecryptTicket(ticket, cs)
	if err != nil || ss == nil {
		return nil
	}
	for i, extra := range ss.Extra {
		if string(extra) == string(b[:]) {
			// A ticket made of this session is bound anew.
			ss.Extra = append(ss.Extra[:i], ss.Extra[i+1:]...)
			return ss
		}
	}
	return nil
}
