package sluice

import (
	"flag"
	"fmt"
	"io"
	"runtime"
)

var versionCommand = command{
	name:     "version",
	synopsis: "",
	about:    "Print the version of this binary and what it was built with.",
	register: func(_ *flag.FlagSet, out, _ io.Writer) func([]string) error {
		return func(args []string) error {
			if len(args) > 0 {
				return usagef("version takes no arguments")
			}
			_, err := fmt.Fprintf(out, "sluice %s %s %s/%s\n", versionName(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		}
	},
}
