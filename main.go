package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

// version is set by the linker.
var version = "dev"

// command is one word after "sluice". register adds its flags to set and returns what runs it with
// the arguments left over; an errUsage from that prints the command's help.
type command struct {
	name, synopsis, about string
	register              func(set *flag.FlagSet, out, log io.Writer) func(args []string) error
}

// commands are sorted by name.
var commands = []command{checkCommand, echoCommand, explainCommand, serveCommand, versionCommand}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code: 0 done, 1 failed or refused, 2 misused.
func run(args []string, out, log io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(log, overview())
		return 2
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "-help" || args[0] == "--help" {
		fmt.Fprint(out, overview())
		return 0
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:], out, log)
		}
	}
	fmt.Fprintf(log, "sluice: unknown command %q\n\n%s", args[0], overview())
	return 2
}
