package informer

import (
	"maps"
	"slices"

	"github.com/sluice-gateway/sluice/routing"
)

// loan is a reference to the Backend of a canary's path. Which Backend that is depends on the main one beside which it stands,
// whose protocol and TLS it has, so that it belongs to the Host with both, and is given back when that is built again.
type loan struct {
	main, slot *slot
	to         reference
}

// keyOf returns the key of the Backend at an index.
func (b *builder) keyOf(index int32) (routing.BackendKey, bool) {
	if sl := b.backends.at(index); sl != nil {
		return sl.backend.Key, true
	}
	return routing.BackendKey{}, false
}

// lend returns the Backend of a canary's path beside the one at main, for the Host that is being built.
func (b *builder) lend(to reference, balance routing.Balance, main int32) int32 {
	l := loan{main: b.backends.at(main), to: to}
	l.slot = b.backends.acquire(to.key(l.how(balance)), to.to, l.how(balance), to.serverName)
	b.lending = append(b.lending, l)
	return l.slot.backend.Index
}

// how is how the main Backend is spoken to, watched and spared, with another balance. Beside one of AUTO_HTTP a canary is
// spoken to in plain text.
func (l loan) how(balance routing.Balance) speech {
	return speech{protocol: l.main.how.protocol, balance: balance, tls: l.main.how.tls, resilience: l.main.how.resilience}
}

// keepLoans replaces the loans of a Host by those that were taken up while it was built.
func (b *builder) keepLoans(host string) {
	old := b.loans[host]
	if b.loans[host] = b.lending; len(b.lending) == 0 {
		delete(b.loans, host)
	}
	b.lending = nil
	for _, l := range old {
		b.backends.release(l.slot)
	}
}

// renewLoans gives the Backends of canaries the TLS that their main ones have now: the content of a Secret changes no Host.
func (b *builder) renewLoans() {
	for _, list := range b.loans {
		for _, l := range list {
			if l.main.how.tls != l.slot.how.tls {
				b.backends.renew(l.slot, l.how(l.slot.how.balance), l.to.serverName)
			}
		}
	}
}

// spreadCanaries has the canaries of all Hosts that are marked look for their Routes, and marks the Hosts whose Splits change.
func (b *builder) spreadCanaries() {
	work := slices.Collect(maps.Keys(b.dirty.hosts))
	if b.dirty.fallback {
		work = append(work, elsewhereHost)
	}
	touched := false
	for _, host := range work {
		for up, finds := range b.hosts.look(host) {
			touched = true
			for _, f := range finds {
				b.dirty.host(f.at().host)
			}
			b.markUsers(up)
		}
	}
	if touched {
		b.spread()
	}
}

// spreadBalances marks the Hosts with Routes to what another object decides about now, itself or as a canary.
func (b *builder) spreadBalances() {
	for up := range b.hosts.users.changed {
		b.markUsers(up)
		for name := range b.services.of(routing.ObjectName{Namespace: up.namespace, Name: up.service}) {
			if e := b.entries[name]; e != nil {
				for _, host := range e.canary.hosts() {
					for main := range b.hosts.canaries.finds[host] {
						b.markUsers(main)
					}
				}
			}
		}
	}
	clear(b.hosts.users.changed)
}

// markUsers marks what the objects that use an upstream have a part in.
func (b *builder) markUsers(up upstreamName) {
	for name := range b.services.of(routing.ObjectName{Namespace: up.namespace, Name: up.service}) {
		b.dirty.entry(b.entries[name])
	}
}
