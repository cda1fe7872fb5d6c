package access

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// scripted answers for a URL: text, or an error where it is "". It counts.
type scripted struct {
	mu    sync.Mutex
	text  string
	asked int
	takes time.Duration
}

func (s *scripted) RoundTrip(*http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	time.Sleep(s.takes) // in a bubble
	if s.text == "" {
		return nil, errors.New("there is no answer")
	}
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(s.text))}, nil
}

func (s *scripted) set(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text, s.asked = text, 0
}

func (s *scripted) wasAsked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func someKeys() string {
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	text, _ := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: public}}})
	return string(text)
}

// TestKeySource: keys are renewed behind the requests, used for an hour without their URL, and no longer.
func TestKeySource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		script := &scripted{}
		s := newKeySource("http://keys.test/", script)
		if s.held(time.Now()) != nil {
			t.Error("keys are held that nobody has fetched")
		}
		// A URL that fails is asked again after a while, and not for each token.
		for range 100 {
			if k, err := s.get(ctx, nil); k != nil || err == nil {
				t.Fatalf("%v, %v", k, err)
			}
		}
		if n := script.wasAsked(); n != 1 {
			t.Errorf("a URL that fails was asked %d times at once", n)
		}
		time.Sleep(keysRetry)
		first := someKeys()
		script.set(first)
		keys, err := s.get(ctx, nil)
		if keys == nil || err != nil {
			t.Fatal(err)
		}
		// The same text is the same keys, so that tokens need not be verified again.
		time.Sleep(keysFresh + time.Second)
		for range 10 {
			if s.held(time.Now()) != keys {
				t.Error("keys are not used while they are renewed")
			}
		}
		synctest.Wait()
		if s.held(time.Now()) != keys || script.wasAsked() != 2 {
			t.Errorf("the URL was asked %d times", script.wasAsked())
		}
		// Others replace them behind the requests.
		script.set(someKeys())
		time.Sleep(keysFresh + time.Second)
		s.held(time.Now())
		synctest.Wait()
		next := s.held(time.Now())
		if next == nil || next == keys {
			t.Error("keys are not renewed")
		}
		// A key that is not known has them fetched, and strangers do that seldom.
		time.Sleep(keysRest)
		script.set(someKeys())
		newer, err := s.get(ctx, next)
		if err != nil || newer == next || script.wasAsked() != 1 {
			t.Errorf("%v, asked %d times", err, script.wasAsked())
		}
		for range 100 {
			if again, err := s.get(ctx, newer); again != newer || err != nil {
				t.Error("others come from nowhere")
			}
			time.Sleep(keysRest / 10)
		}
		if n := script.wasAsked(); n > 12 {
			t.Errorf("strangers had the URL asked %d times", n)
		}
		// Without the URL they are used for an hour after they came.
		script.set("")
		from := s.now.Load().at
		for time.Since(from) < keysKept {
			if s.held(time.Now()) == nil {
				t.Fatalf("after %s there are no keys", time.Since(from))
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(time.Minute)
		if s.held(time.Now()) != nil {
			t.Error("keys are used for ever")
		}
		if k, err := s.get(ctx, nil); k != nil || err == nil {
			t.Error("keys are used for ever, off the loop")
		}
		if n := script.wasAsked(); n > 70*6 {
			t.Errorf("a dead URL was asked %d times in an hour", n)
		}
		// And it comes back.
		script.set(first)
		time.Sleep(keysRest)
		if k, err := s.get(ctx, nil); k == nil || err != nil {
			t.Error(err)
		}
		time.Sleep(keysRest) // for what rests after a renewal
		synctest.Wait()
	})
}

// TestKeySourceIsAskedOnce: who asks while keys are fetched waits for them, and a client that leaves ends its own wait alone.
func TestKeySourceIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		script := &scripted{text: someKeys(), takes: time.Second}
		s := newKeySource("http://keys.test/", script)
		left, leave := context.WithCancel(context.Background())
		go func() { _, _ = s.get(left, nil) }()
		synctest.Wait()
		for range 50 {
			go func() {
				if k, err := s.get(context.Background(), nil); k == nil || err != nil {
					t.Error(err)
				}
			}()
		}
		waits, end := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { _, err := s.get(waits, nil); ended <- err }()
		synctest.Wait()
		leave()
		end()
		if err := <-ended; err == nil {
			t.Error("who has left has keys")
		}
		time.Sleep(2 * time.Second)
		if n := script.wasAsked(); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// TestKeySourcesAreShared: objects with the same URL share what was fetched, and nothing is held once the last is gone.
func TestKeySourcesAreShared(t *testing.T) {
	const url = "http://keys.test/shared"
	a := keysFrom(url, nil, nil)
	if keysFrom(url, nil, nil) != a || keysFrom(url+"x", nil, nil) == a {
		t.Error("a URL is no name")
	}
	runtime.KeepAlive(a)
	a = nil
	held := func() (n int) {
		keySources.Range(func(name, _ any) bool {
			if strings.HasPrefix(name.(string), url) {
				n++
			}
			return true
		})
		return n
	}
	for range 1000 {
		if runtime.GC(); held() == 0 {
			return
		}
		runtime.Gosched()
	}
	t.Errorf("%d sources are held", held())
}
