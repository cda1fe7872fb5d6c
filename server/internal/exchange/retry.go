package exchange

import (
	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server/internal/message"
	"github.com/sluice-gateway/sluice/upstream"
)

// When a request is sent again. package upstream knows where that is safe, how often it is done at a Backend, and where the
// request goes; here is what objects ask for.
//
// Without a Policy a request is sent again behind a failure to connect, and behind the loss of a connection that has brought
// no byte of a response. A Policy can add the timeout of the response, a malformed response, and statuses: then the response
// is discarded, of which the client has seen nothing, except where an interim one was relayed: that ends all replays.

// retry is policy.Retry, compiled.
type retry struct {
	on      policy.RetryOn
	holds   bool // bodies are held while they are sent, so that they can be sent again
	tries   int32
	timeout int64
}

// heldBody bounds the bytes of a request that are held for a replay behind those that came with its head. Together they are
// those of a replay: a judgement, by what forms and calls of APIs take.
const heldBody = 64 << 10

func newRetry(r policy.Retry) retry {
	if r.On == 0 {
		return retry{on: policy.RetryError | policy.RetryTimeout, tries: r.Tries, timeout: r.Timeout}.own()
	}
	return retry{on: r.On, holds: r.On&policy.RetryOff == 0, tries: r.Tries, timeout: r.Timeout}
}

// ownConditions marks the conditions of an object that names none: of the timeouts only the connect's.
const ownConditions policy.RetryOn = 1 << 15

func (r retry) own() retry {
	r.on |= ownConditions
	return r
}

// retryCause returns the condition that a failed attempt meets.
func retryCause(f *Failure, outcome upstream.Outcome) policy.RetryOn {
	switch outcome {
	case upstream.ConnectTimeout, upstream.ResponseTimeout:
		return policy.RetryTimeout
	case upstream.Malformed:
		return policy.RetryInvalidHeader
	}
	return policy.RetryError
}

// tries returns the most attempts that x may make behind a failure by cause: 1, where it may make no other.
func (x *Core) tries(cause policy.RetryOn, now int64) int {
	r := &x.policy.retry
	switch {
	case r.on&cause == 0, r.timeout > 0 && now-x.attempt.Began >= r.timeout:
		return 1
	case r.tries < 0:
		return policy.Most
	case r.tries > 0:
		return int(min(r.tries, policy.Most))
	}
	return x.w.Settings.Attempts
}

// mayRetry reports whether a failure that brought bytes, or took its time, is one that the Policy has the request sent again
// behind, if it can be.
func (x *Core) mayRetry(cause policy.RetryOn) bool {
	if x.up == nil {
		return false
	}
	r := &x.policy.retry
	return r.on&ownConditions == 0 && r.on&cause != 0 && !x.headDone && x.lastInterim == 0 && !x.tunnel
}

// retriesStatus has the request sent again instead of relaying resp, where the Policy asks for that because of its status,
// and it can be. rest is what came behind the head. x may have ended then.
func (x *Core) retriesStatus(resp *message.Response, rest []byte) bool {
	cause := policy.RetryStatus(int(resp.Code))
	if cause == 0 || !x.mayRetry(cause) {
		return false
	}
	w, u := x.w, x.up
	now := w.Now()
	if !x.attempt.MayReplay(now, x.carried(false), x.tries(cause, now)) {
		return false
	}
	x.up = nil
	ep := x.attempt.Replay(now, now-x.attempt.Chosen, x.backend.Verdict(int(resp.Code)))
	kind := resp.BodyKind(x.method)
	bare := kind == message.BodyNone && !resp.Chunked && len(rest) == 0 ||
		kind == message.BodyLength && resp.ContentLength == int64(len(rest))
	if bare && resp.KeepAlive && !x.upgrade && !x.upClose && x.reqBody.settled() {
		u.Release(now)
	} else {
		u.Abandon()
	}
	w.Shard.Retries++
	x.upClose = false
	x.reconnect(ep, now)
	return true
}

// hold keeps out, body bytes in the form that they go to the Endpoint in, with the part of the request that is held already,
// or has the request be streamed from here on: it cannot be sent again then.
func (x *Core) hold(out []byte) {
	r := &x.policy.retry
	if !r.holds || len(x.reqBody.trailers) > 0 || !x.method.Idempotent() && r.on&policy.RetryNonIdempotent == 0 {
		x.streamed = true
		return
	}
	w := x.w
	if x.OverHTTP2() {
		k := x.kept
		if len(k.early)+len(out) > heldBody {
			x.streamed = true
			return
		}
		k.early = append(k.early, out...)
		w.Buffers.Recount(&k.Lent, int64(cap(k.Head)+cap(k.early)))
		return
	}
	if len(x.request)+len(out) > heldBody {
		x.streamed = true
		return
	}
	lent := int64(cap(x.request))
	x.request = append(x.request, out...)
	w.Buffers.Recount(&lent, int64(cap(x.request)))
}
