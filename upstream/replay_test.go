package upstream

import "testing"

func TestMayReplay(t *testing.T) {
	const (
		idempotent, unsafe = true, false
		reused, fresh      = true, false
	)
	for _, tt := range []struct {
		method        bool
		sent          SentState
		conn          bool
		attempts, max int
		want          bool
	}{
		{idempotent, Unsent, fresh, 1, 2, true},
		{unsafe, Unsent, fresh, 1, 2, true}, // a refused connection has acted on nothing
		{unsafe, Unsent, reused, 1, 2, true},
		{idempotent, SentBuffered, fresh, 1, 2, true},
		{idempotent, SentBuffered, reused, 1, 2, true},
		{unsafe, SentBuffered, fresh, 1, 2, false},
		{unsafe, SentBuffered, reused, 1, 2, false}, // it may have been acted on before the close
		{idempotent, SentStreamed, fresh, 1, 2, false},
		{idempotent, SentStreamed, reused, 1, 2, false},
		{unsafe, SentStreamed, reused, 1, 2, false},

		// Attempts are bounded.
		{idempotent, Unsent, fresh, 2, 2, false},
		{idempotent, Unsent, reused, 2, 2, false},
		{idempotent, SentBuffered, reused, 3, 2, false},
		{idempotent, Unsent, fresh, 2, 3, true},

		// Replays switched off: only the keep-alive race gets one.
		{idempotent, Unsent, fresh, 1, 1, false},
		{idempotent, SentBuffered, reused, 1, 1, true},
		{unsafe, Unsent, reused, 1, 0, true},
		{unsafe, SentBuffered, reused, 1, 1, false},
		{idempotent, SentBuffered, reused, 2, 1, false},
	} {
		if got := mayReplay(Carried{tt.sent, tt.method, tt.conn}, tt.attempts, tt.max); got != tt.want {
			t.Errorf("mayReplay(idempotent=%v, %v, reused=%v, attempt %d of %d) = %v, want %v",
				tt.method, tt.sent, tt.conn, tt.attempts, tt.max, got, tt.want)
		}
	}
}
