package source

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// scripted answers one request after another by these statuses; 0 is a failure to connect.
type scripted struct {
	statuses []int
	asked    int
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	status := s.statuses[min(s.asked, len(s.statuses)-1)]
	s.asked++
	if status == 0 {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Body: io.NopCloser(strings.NewReader("{}"))}, nil
}

func TestWitness(t *testing.T) {
	for _, row := range []struct {
		name     string
		method   string
		statuses []int // 0 = no connection; the last repeats
		want     int
		asked    int
		noted    string // one letter for each attempt
	}{
		{"reached", "GET", []int{200}, 200, 1, "+"},
		{"refused", "GET", []int{0, 0, 0, 200}, 200, 4, "---+"},
		{"starting", "GET", []int{0, 503, 200}, 200, 3, "--+"},
		{"not allowed", "GET", []int{403, 200}, 403, 1, "+"},
		{"overloaded", "GET", []int{504, 200}, 504, 1, "-"}, // asking again at once would add to it
		{"broken", "GET", []int{500, 200}, 500, 1, "-"},
		{"write", "PATCH", []int{503, 200}, 503, 1, "-"},
		{"unsent write", "PATCH", []int{0, 200}, 0, 1, "-"},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &scripted{statuses: row.statuses}
				noted := ""
				w := &witness{next, func(err error) {
					if err == nil {
						noted += "+"
					} else {
						noted += "-"
					}
				}}
				r, err := http.NewRequestWithContext(t.Context(), row.method, "https://api/", nil)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := w.RoundTrip(r)
				got := 0
				if err == nil {
					got = resp.StatusCode
					resp.Body.Close()
				}
				if got != row.want || next.asked != row.asked || noted != row.noted {
					t.Errorf("status %d after %d attempts, noted %s; want %d, %d, %s", got, next.asked, noted, row.want, row.asked, row.noted)
				}
			})
		})
	}
}

// However long the server was away, its return is seen within the last pause.
func TestWitnessAfterLongOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const outage = 10 * time.Minute
		begun := time.Now()
		attempts := 0
		w := &witness{roundTrip(func(*http.Request) (*http.Response, error) {
			attempts++
			if time.Since(begun) < outage {
				return nil, errors.New("connection refused")
			}
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		}), func(error) {}}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.RoundTrip(r); err != nil {
			t.Fatal(err)
		}
		if late := time.Since(begun) - outage; late > lastRetry {
			t.Errorf("seen %s after the server came back, want at most %s", late, lastRetry)
		}
		if most := int(2 * outage / lastRetry); attempts > most+10 {
			t.Errorf("%d attempts in %s, want at most about %d", attempts, outage, most)
		}
	})
}

func TestWitnessEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		w := &witness{&scripted{statuses: []int{0}}, func(error) {}}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api/", nil)
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if _, err := w.RoundTrip(r); err == nil {
			t.Error("an answer from nowhere")
		}
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("it ended after %s, want when its context did", took)
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
