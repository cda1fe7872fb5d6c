//go:build !race

package server

// chaosDefault is how many rounds of TestChaos and TestChaosEndings there are. Most are played under the race detector,
// which needs other bounds: see race_test.go.
const chaosDefault = 3

// atOnce is how many tests run at a time.
const atOnce = "8"
