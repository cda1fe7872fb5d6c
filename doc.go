// Package sluice is a Kubernetes ingress gateway as a library: an event-loop HTTP proxy on Hertz and netpoll. The
// command sluice is deploy/sluice, one call of Main. A program that adds a filter makes the same call and has the
// whole of Sluice besides: its commands, flags, configuration and version:
//
//	func main() {
//		sluice.Main(sluice.Options{Filters: []sluice.Filter{sluice.Declare(sluice.Declaration[greeting]{
//			Name: "greeting", Stage: policy.StageFields, New: func(g greeting, _ server.Env) (server.Filter, error) { return &g, nil },
//			Annotations: []sluice.Annotation[greeting]{{Key: "example.com/greeting", Value: "text", Doc: "Text of X-Greeting in every response.",
//				Set: func(g *greeting, text string) error { g.Text = text; return policy.ValidField("X-Greeting", text) }}},
//		})}})
//	}
//
// deploy/example is that program, with the filter and a test that runs it.
//
// # What Main does to the process
//
// The import alone starts no goroutine, defines no flag and handles no signal. It does register profiles and
// variables at http.DefaultServeMux, as net/http/pprof and expvar do wherever they are imported: an HTTP server of the
// program's own should have a mux of its own.
//
// Main is made for a process that is the gateway's alone. Every command reads os.Args, writes to os.Stdout and
// os.Stderr and ends in os.Exit. check, explain and version change nothing else, echo handles SIGTERM and SIGINT, and
// serve
//
//   - handles SIGTERM, SIGINT (drain) and SIGHUP (reload), and ignores SIGPIPE;
//   - sets GOMAXPROCS to the cgroup's CPU quota, and then above the number of loops, unless the environment has it;
//   - sets the garbage collector's memory limit below that of the cgroup, unless the environment has GOMEMLIMIT;
//   - points the output of log (so that of slog's default), klog, netpoll and Hertz at error_log;
//   - makes pid_file and the admin plane's socket and removes them at its end, and makes the admin plane's token.
//
// # Inside
//
// Options.run picks a command; each has a file, cmd_NAME.go, which parses its flags and describes it. serve is
// the one that matters, and gateway.go is its composition root: the one place where informer, server, upstream
// and admin meet. newGateway wires them, gateway.run handles the signals.
//
// Goroutines: run's own takes signals and is the only one that reloads; the data plane has one per
// loop, the informer one that builds, the admin plane one per connection.
//
// Invariants:
//
//  1. Commands that only look (check, explain --manifests, version) bind no socket.
//  2. A process that exits 0 was asked to: SIGTERM drains first, any failure is 1, wrong usage 2.
//  3. /readyz is 200 only while the listeners are bound, a Snapshot of fully synced sources is live,
//     and no drain has begun.
//
// What never happens here: no request is handled, no object is interpreted.
//
// Read first: Options.commands, newGateway, TestServe.
package sluice
