package sluice

// version is set by the linker: -X github.com/sluice-gateway/sluice.version=v1.2.3, in programs of others, too.
var version = "dev"
