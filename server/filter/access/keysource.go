package access

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"github.com/sluice-gateway/sluice/routing/jwt"
)

// keySource fetches the keys of a URL, for all loops and for all Filters that have the same URL. Nothing runs while nobody asks.
//
// Keys are used for keysKept after they were fetched, so that tokens are verified while their issuer is away for a while, and
// fetched anew behind the requests once they are older than keysFresh. A token that is signed with a key that is not among
// them has them fetched at once, at most every keysRest: tokens of strangers name keys that there are not.
type keySource struct {
	// Immutable after newKeySource:
	url    string
	client http.RoundTripper

	// Atomic, written by who fetches:
	now atomic.Pointer[fetched]
	// renewing is true while somebody fetches keys behind the requests.
	renewing atomic.Bool

	mu sync.Mutex
	// Guarded by mu:
	tried time.Time // when the last fetch ended
	// ended is closed once the fetch under way has ended, nil where none is; failure is why the last one has failed.
	ended   chan struct{}
	failure error
}

// fetched is what a URL had. Immutable.
type fetched struct {
	// keys are the same pointer as before where the text is the same.
	keys *jwt.Keys
	sum  [sha256.Size]byte
	at   time.Time
}

const (
	keysFresh = 5 * time.Minute
	keysKept  = time.Hour
	keysRest  = 10 * time.Second
	// keysRetry is keysRest for a URL that has failed.
	keysRetry = 2 * time.Second
	// keysTime bounds a fetch, connection included.
	keysTime = 5 * time.Second
)

// keySources has those in use, by what they are made of, for as long as a Filter has them: another version of an object does not
// fetch again.
var keySources sync.Map // string -> weak.Pointer[keySource]

// keysFrom returns the source of a URL.
func keysFrom(url string, refused, passed []netip.Prefix) *keySource {
	name := fmt.Sprint(url, refused, passed)
	made := newKeySource(url, newTransport(refused, passed, true))
	for {
		held, loaded := keySources.LoadOrStore(name, weak.Make(made))
		if !loaded {
			runtime.AddCleanup(made, func(p weak.Pointer[keySource]) { keySources.CompareAndDelete(name, p) }, weak.Make(made))
			return made
		}
		if s := held.(weak.Pointer[keySource]).Value(); s != nil {
			return s
		}
		keySources.CompareAndDelete(name, held)
	}
}

func newKeySource(url string, client http.RoundTripper) *keySource {
	return &keySource{url: url, client: client}
}

// held returns the keys that can be used now, nil for none, and has them renewed where they are old. It does not block.
//
// hot: runs per request; no alloc, no lock.
func (s *keySource) held(now time.Time) *jwt.Keys {
	f := s.now.Load()
	if f == nil || now.Sub(f.at) > keysKept {
		return nil
	}
	if now.Sub(f.at) > keysFresh && !s.renewing.Load() && s.renewing.CompareAndSwap(false, true) {
		s.startRenewal()
	}
	return f.keys
}

func (s *keySource) startRenewal() { go s.renew() }

// renew fetches the keys once, and rests, so that a URL that fails is not asked for each request.
func (s *keySource) renew() {
	_ = s.fetch(context.Background(), s.now.Load())
	time.AfterFunc(keysRest, func() { s.renewing.Store(false) })
}

// get returns the keys, off the loop. Where unknown is not nil, some other keys than these are wanted, if there are any.
func (s *keySource) get(ctx context.Context, unknown *jwt.Keys) (*jwt.Keys, error) {
	f := s.now.Load()
	if f != nil && time.Since(f.at) <= keysKept && f.keys != unknown {
		return f.keys, nil
	}
	if err := s.fetch(ctx, f); err != nil && unknown == nil {
		return nil, err
	}
	if f = s.now.Load(); f == nil || time.Since(f.at) > keysKept {
		return nil, errNoKeys
	}
	return f.keys, nil
}

var errNoKeys = errors.New("the keys cannot be fetched")

// fetch fetches the keys, or waits for a fetch that is under way, and does nothing where the last one is not long ago, or they
// are others than before already.
func (s *keySource) fetch(ctx context.Context, before *fetched) error {
	s.mu.Lock()
	if ended := s.ended; ended != nil {
		s.mu.Unlock()
		select {
		case <-ended:
		case <-ctx.Done():
			return ctx.Err()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.failure
	}
	rest := keysRest
	if s.failure != nil {
		rest = keysRetry
	}
	if time.Since(s.tried) < rest || s.now.Load() != before {
		defer s.mu.Unlock()
		return s.failure
	}
	ended := make(chan struct{})
	s.ended = ended
	s.mu.Unlock()
	// Others wait for this too: it goes on when the client that asked first has left.
	err := s.ask()
	s.mu.Lock()
	s.ended, s.failure, s.tried = nil, err, time.Now()
	s.mu.Unlock()
	close(ended)
	return err
}

// ask fetches the keys.
func (s *keySource) ask() error {
	ctx, cancel := context.WithTimeout(context.Background(), keysTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url, nil)
	if err != nil {
		return errNoKeys
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	req.Header.Set("User-Agent", "sluice")
	resp, err := s.client.RoundTrip(req)
	if err != nil {
		return errNoKeys
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errNoKeys
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, jwt.MaxKeySet+1))
	if err != nil {
		return errNoKeys
	}
	next := &fetched{sum: sha256.Sum256(text), at: time.Now()}
	if old := s.now.Load(); old != nil && old.sum == next.sum {
		next.keys = old.keys
	} else if next.keys, _, err = jwt.ParseKeys(text); err != nil {
		return errNoKeys
	}
	s.now.Store(next)
	return nil
}
