// Package firewall looks for attacks in requests: policy.Firewall, by Coraza with OWASP's core rule set.
//
// A request is copied on the loop, with as much of its body as the Policy says; the rules run on a goroutine while the request
// is parked, on half of the processors at most; the outcome is carried out on the loop.
//
// There are two rule sets in the process, with the core rules and without, and each is compiled when the first Policy asks for
// it: what a Policy changes (threshold, paranoia, exclusions) is set for each transaction, so that the number of Policies
// costs no memory. No text of a manifest becomes a directive.
//
// Invariants:
//
//  1. Where Block is true a request that could not be looked at is not served: not for a fault of the rules, not for want of
//     time, and not because its body is too long.
//  2. Nothing that a client sent goes into the log but method, host and path, quoted and bounded.
//
// Coraza writes the files of multipart forms to os.TempDir while it looks at them, and removes them; it refuses to work without
// that folder.
//
// What never happens here: no response is looked at; no rule runs on a loop.
//
// Read first: Firewall, ruleSet.
package firewall
