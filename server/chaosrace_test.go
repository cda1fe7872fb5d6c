//go:build race

package server

// chaosDefault, see chaosrounds_test.go. It is two for each level of what is done to an Endpoint.
const chaosDefault = 6
