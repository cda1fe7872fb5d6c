package sluice

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"go.uber.org/automaxprocs/maxprocs"

	"github.com/sluice-gateway/sluice/server/config"
)

// serveCommand runs a gateway with the program's additions.
func serveCommand(added Options) command {
	return command{
		name:     "serve",
		synopsis: "[-c|--config FILE] [--manifests DIR | --kubeconfig FILE] [--set key.path=value ...]",
		about: "Run the gateway until SIGTERM or SIGINT.\n" +
			"It serves the Ingresses of a cluster, by default the one it runs in, or of a directory of manifests that is watched.\n" +
			"SIGTERM and SIGINT drain: readiness ends at once, no connection is accepted any more, what is in flight finishes\n" +
			"within shutdown.drain_seconds; a second one cuts it. SIGHUP reads the configuration again and reopens the logs.",
		register: func(set *flag.FlagSet, _, log io.Writer) func([]string) error {
			o := serveOptions{source: source{added: added}}
			o.flags(set)
			return func(args []string) error {
				if len(args) > 0 {
					return usagef("serve takes no arguments, only flags")
				}
				if err := o.validate(); err != nil {
					return err
				}
				err := o.serve(log)
				if err == nil || errors.Is(err, errUsage) {
					return err
				}
				lastWords(log, "sluice serve: "+err.Error())
				return errRefused
			}
		},
	}
}

// serveOptions are the flags of serve.
type serveOptions struct {
	source
	file string
	sets list
}

func (o *serveOptions) flags(set *flag.FlagSet) {
	o.source.flags(set)
	set.StringVar(&o.file, "c", "", "Read the configuration from `FILE`; the same as --config.")
	set.StringVar(&o.file, "config", "", "Read the configuration from `FILE`; every key has a default, so none is needed.")
	set.Var(&o.sets, "set", "Set one key over the file, as `key.path=value`; may be given several times.")
}

// load reads the configuration and lays the --set flags over it. It is called at start and by each
// reload.
func (o *serveOptions) load() (*config.Config, error) {
	return settings{o.file, o.sets}.load()
}

// serve prepares the process and runs one gateway in it.
func (o *serveOptions) serve(stderr io.Writer) error {
	c, err := o.load()
	if err != nil {
		return err
	}
	log, logger, err := openErrorLog(c.ErrorLog, stderr)
	if err != nil {
		return err
	}
	defer log.Close()
	captureLogs(logger, log)
	// Otherwise a reader of stdout or stderr that goes away would end the process.
	signal.Ignore(syscall.SIGPIPE)
	// The number of loops follows GOMAXPROCS, so this comes before they are made.
	if _, err := maxprocs.Set(maxprocs.Logger(func(format string, args ...any) { logger.Info(fmt.Sprintf(format, args...)) })); err != nil {
		logger.Warn("GOMAXPROCS does not follow the cgroup", "error", err)
	}
	if limit := limitMemory("/"); limit > 0 {
		logger.Info("memory limit follows the cgroup", "bytes", limit)
	}
	// Before anything is bound: an early SIGTERM must end the process in order, not kill it.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	g, err := newGateway(o, c, log, logger)
	if err != nil {
		return err
	}
	spareProcessors(g.plane.Threads())
	return g.run(signals)
}

// spareProcessors lets more goroutines run than there are loops, so that the kernel shares the cores out and not
// Go's scheduler, which lets a computing goroutine go on for up to 10 ms while a loop with work waits for its
// turn. There is room for the handshakes that run at a time, half as many as loops, and for one goroutine that
// builds, scrapes or collects garbage. While 10,000 Secrets were loaded on two cores, twice as many requests
// took longer than 10 ms as on an idle gateway beside it; with this, as many. An explicit GOMAXPROCS wins.
//
// On a single core there is nothing to share out, and every change of thread is one that a loop pays: a TLS
// handshake cost 300 us so, and costs 215 where the loop just lets it run (loop.Await).
func spareProcessors(loops int) {
	want := loops + max(1, loops/2) + 1
	if os.Getenv("GOMAXPROCS") == "" && runtime.NumCPU() > 1 && runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
}
