package sluice

import (
	"fmt"
	"io"
	"os"

	"github.com/sluice-gateway/sluice/informer/annotation"
	"github.com/sluice-gateway/sluice/server"
)

// Options are a program's additions to Sluice. The zero value adds nothing: it is the command sluice.
type Options struct {
	// Filters are the program's own, which objects ask for by annotations; see Declare.
	Filters []Filter
	// Server goes to the data plane of serve as it stands; its Filters are in front of every Route.
	Server server.Options

	// Set by prepare:
	annotations *annotation.Table
	makers      []server.Maker
}

// Main is the whole of a program's main function: it executes the command line in os.Args, one of Sluice's commands
// with its flags, and ends the process. It does not return, so the caller's defers do not run. Exit codes: 0 done,
// 1 failed or refused, 2 misused. Its effects on the process are in the package's documentation.
func Main(o Options) { os.Exit(o.run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code.
func (o Options) run(args []string, out, log io.Writer) int {
	if err := o.prepare(); err != nil {
		fmt.Fprintf(log, "sluice: %v\n", err)
		return 2
	}
	commands := o.commands()
	if len(args) == 0 {
		fmt.Fprint(log, overview(commands))
		return 2
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		fmt.Fprint(out, overview(commands))
		return 0
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:], out, log)
		}
	}
	fmt.Fprintf(log, "sluice: unknown command %q\n\n%s", args[0], overview(commands))
	return 2
}
