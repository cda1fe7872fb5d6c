package sluice

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/sluice-gateway/sluice/routing/policy"
)

// filtersCommand shows the onion of the program.
func filtersCommand(o Options) command {
	return command{
		name:     "filters",
		synopsis: "[--annotations]",
		about: "List the filters of this program by stage, in the order in which requests pass them.\n" +
			"Responses pass them in reverse. The stages are those of nginx' phases. With --annotations it prints the\n" +
			"reference of all annotations instead, those of the program's own filters among them.",
		register: func(set *flag.FlagSet, out, _ io.Writer) func([]string) error {
			reference := set.Bool("annotations", false, "Print the reference of all annotations.")
			return func(args []string) error {
				if len(args) > 0 {
					return usagef("filters takes no arguments")
				}
				text := onionText(o.onion())
				if *reference {
					text = o.annotations.Reference()
				}
				if _, err := io.WriteString(out, text); err != nil {
					return fmt.Errorf("write filters: %w", err)
				}
				return nil
			}
		},
	}
}

// onionText is a line for each Stage, with its filters.
func onionText(onion policy.Onion) string {
	var b strings.Builder
	for _, stage := range append(policy.Stages(), "") {
		var names []string
		for _, at := range onion {
			if at.Stage == stage {
				names = append(names, string(at.Kind))
			}
		}
		if stage != "" || len(names) > 0 {
			fmt.Fprintf(&b, "%s\n", strings.TrimRight(fmt.Sprintf("%-10s %s", stage, strings.Join(names, " ")), " "))
		}
	}
	return b.String()
}
