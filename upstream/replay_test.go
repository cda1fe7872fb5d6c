package upstream

import "testing"

func TestMayReplay(t *testing.T) {
	const (
		idempotent, unsafe = true, false
		response, silence  = true, false
		reused, fresh      = true, false
	)
	for _, tt := range []struct {
		method        bool
		sent          SentState
		bytes, conn   bool
		attempts, max int
		want          bool
	}{
		{idempotent, Unsent, silence, fresh, 1, 2, true},
		{unsafe, Unsent, silence, fresh, 1, 2, true}, // a refused connection has acted on nothing
		{unsafe, Unsent, silence, reused, 1, 2, true},
		{idempotent, SentBuffered, silence, fresh, 1, 2, true},
		{idempotent, SentBuffered, silence, reused, 1, 2, true},
		{unsafe, SentBuffered, silence, fresh, 1, 2, false},
		{unsafe, SentBuffered, silence, reused, 1, 2, false}, // it may have been acted on before the close
		{idempotent, SentStreamed, silence, fresh, 1, 2, false},
		{idempotent, SentStreamed, silence, reused, 1, 2, false},
		{unsafe, SentStreamed, silence, reused, 1, 2, false},

		// A response byte rules everything out.
		{idempotent, Unsent, response, fresh, 1, 2, false},
		{idempotent, SentBuffered, response, reused, 1, 2, false},

		// Attempts are bounded.
		{idempotent, Unsent, silence, fresh, 2, 2, false},
		{idempotent, Unsent, silence, reused, 2, 2, false},
		{idempotent, SentBuffered, silence, reused, 3, 2, false},
		{idempotent, Unsent, silence, fresh, 2, 3, true},

		// Replays switched off: only the keep-alive race gets one.
		{idempotent, Unsent, silence, fresh, 1, 1, false},
		{idempotent, SentBuffered, silence, reused, 1, 1, true},
		{unsafe, Unsent, silence, reused, 1, 0, true},
		{unsafe, SentBuffered, silence, reused, 1, 1, false},
		{idempotent, SentBuffered, silence, reused, 2, 1, false},
	} {
		if got := MayReplay(tt.method, tt.sent, tt.bytes, tt.conn, tt.attempts, tt.max); got != tt.want {
			t.Errorf("MayReplay(idempotent=%v, %v, response=%v, reused=%v, attempt %d of %d) = %v, want %v",
				tt.method, tt.sent, tt.bytes, tt.conn, tt.attempts, tt.max, got, tt.want)
		}
	}
}
