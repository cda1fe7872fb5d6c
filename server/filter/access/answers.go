package access

import (
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"

	"github.com/sluice-gateway/sluice/routing/policy"
	"github.com/sluice-gateway/sluice/server"
	"github.com/sluice-gateway/sluice/server/filter/variable"
)

// answers keeps what an authority has answered, by key, for all loops: an authority that counts questions counts the process's.
type answers struct {
	// Immutable after init:
	template variable.Text
	times    map[int]time.Duration

	mu sync.Mutex
	// Guarded by mu:
	kept map[answerKey]kept
}

// answerKey is a digest: what a client sent is not held.
type answerKey [sha256.Size]byte

type kept struct {
	ruling
	until time.Time
}

// maxKept bounds the answers of one authority that are kept.
const maxKept = 4096

func (a *answers) init(p *policy.External) (err error) {
	if p.CacheKey == "" {
		return nil
	}
	if a.template, err = variable.Parse(p.CacheKey, policy.AuthorityVariables); err != nil {
		return err
	}
	a.times, err = policy.ParseCacheFor(p.CacheFor)
	a.kept = make(map[answerKey]kept)
	return err
}

// key returns the key of a request; keyed is false where its answer is not kept: also where the request has none of what the
// key is made of, because one answer would then be everybody's.
func (a *answers) key(x *server.Exchange) (key answerKey, keyed bool) {
	if a.kept == nil {
		return key, false
	}
	h := sha256.New()
	write := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	write([]byte(x.Route().Host))
	write([]byte(x.Route().Path))
	var b []byte
	for i := range a.template {
		p := &a.template[i]
		b = p.Append(b[:0], x)
		keyed = keyed || p.Variable() && len(b) > 0
		write(b)
	}
	h.Sum(key[:0])
	return key, keyed
}

func (a *answers) find(key answerKey) (ruling, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok := a.kept[key]
	if ok && time.Now().After(k.until) {
		delete(a.kept, key)
		ok = false
	}
	return k.ruling, ok
}

func (a *answers) keep(key answerKey, r ruling) {
	status := r.status
	if status == 0 {
		status = 200
	}
	d := a.times[status]
	if d <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kept) >= maxKept {
		clear(a.kept)
	}
	a.kept[key] = kept{r, time.Now().Add(d)}
}
