package sluice

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

var (
	// errUsage wraps the error of a command line: the command's help follows, and exit code 2.
	errUsage = errors.New("usage")
	// errRefused is a command that worked and answered no: exit code 1 and no message.
	errRefused = errors.New("refused")
)

// command is one word after "sluice". register adds its flags to set and returns the function that
// runs it with the remaining arguments; an errUsage from that function prints the command's help.
type command struct {
	name, synopsis, about string
	register              func(set *flag.FlagSet, out, log io.Writer) func(args []string) error
}

// commands are sorted by name.
func (o Options) commands() []command {
	return []command{checkCommand(o), echoCommand, explainCommand(o), filtersCommand(o), serveCommand(o), versionCommand}
}

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errUsage, fmt.Sprintf(format, args...))
}

// run parses args and executes c.
func (c command) run(args []string, out, log io.Writer) int {
	set := flag.NewFlagSet(c.name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	execute := c.register(set, out, log)
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(out, c.help(set))
		return 0
	case err != nil:
		err = usagef("%v", err)
	default:
		err = execute(set.Args())
	}
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errRefused):
		return 1
	case errors.Is(err, errUsage):
		fmt.Fprintf(log, "sluice %s: %s\n\n%s", c.name, strings.TrimPrefix(err.Error(), errUsage.Error()+": "), c.help(set))
		return 2
	}
	fmt.Fprintf(log, "sluice %s: %v\n", c.name, err)
	return 1
}

// help is the text of `sluice COMMAND -h`. VisitAll goes by name, so the flags are sorted.
func (c command) help(set *flag.FlagSet) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: sluice %s\n\n%s\n", strings.TrimSpace(c.name+" "+c.synopsis), c.about)
	first := true
	set.VisitAll(func(f *flag.Flag) {
		if first {
			b.WriteString("\nFlags:\n")
			first = false
		}
		value, text := flag.UnquoteUsage(f)
		dashes := "--"
		if len(f.Name) == 1 {
			dashes = "-"
		}
		fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(dashes+f.Name+" "+value))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
			text += fmt.Sprintf(" The default is %s.", f.DefValue)
		}
		fmt.Fprintf(&b, "        %s\n", text)
	})
	return b.String()
}

// overview is the text of `sluice help`.
func overview(commands []command) string {
	var b strings.Builder
	b.WriteString("Sluice is a Kubernetes ingress gateway.\n\nUsage: sluice COMMAND [FLAGS]\n\nCommands:\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-8s  %s\n", c.name, firstSentence(c.about))
	}
	b.WriteString("\n`sluice COMMAND -h` describes a command. Exit codes: 0 done, 1 failed or refused, 2 misused.\n")
	return b.String()
}

func firstSentence(s string) string {
	sentence, _, _ := strings.Cut(s, ".\n")
	sentence, _, _ = strings.Cut(sentence, ". ")
	return strings.TrimSuffix(strings.ReplaceAll(sentence, "\n", " "), ".") + "."
}

// list is a flag that may be given several times.
type list []string

// String joins the values; flag needs it for the default.
func (l *list) String() string { return strings.Join(*l, " ") }

// Set adds one value.
func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}
