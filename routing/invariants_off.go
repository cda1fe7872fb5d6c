//go:build !invariants

package routing

// invariants is true under the build tag of the same name: every Table is then validated when made.
const invariants = false
