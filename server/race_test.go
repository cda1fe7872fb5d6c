//go:build race

package server

// chaosDefault, see norace_test.go. It is two for each level of what is done to an Endpoint.
const chaosDefault = 6

// atOnce is less than without the detector, which has the tests compute for ten times as long.
const atOnce = "2"
