// Package config is the gateway's own configuration: one Config struct, its defaults, its file, and
// the keys that a reload may change while requests flow.
//
// Nothing here runs per request. The gateway loads a Config before the data plane starts; a reload (SIGHUP)
// loads a second one on the goroutine that takes signals, compares the two with Diff and hands the data
// plane the result of Config.WithLive. A Config is a plain value that is not edited after Load.
//
// Invariants:
//
//  1. Every key has a default, so an empty file, or none, is a working configuration.
//  2. An unknown key is an error, as is a key given twice. All errors of a file are reported
//     together, each naming the key by its full path and saying what to write instead.
//  3. Every key is one row of the keys table, which describes it and whether it changes live.
//     CONFIG.md is generated from it and a test fails when the two differ.
//
// What never happens here: no socket is opened, no file but the configuration is read, no
// environment variable is read.
//
//	c, err := config.Load("/etc/sluice/sluice.yaml")  // or config.Default()
//	err = c.Set("listen.http=:8080")                  // --set on the command line
//	err = c.Validate()
//
// Read first: Config, keys, TestLoadReportsEveryError.
package config
