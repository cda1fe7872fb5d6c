package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
)

// Micro is one line of "go test -bench".
type Micro struct {
	Package string             `json:"package"`
	Name    string             `json:"name"`
	N       int64              `json:"n"`
	Values  map[string]float64 `json:"values"` // by unit: ns/op, B/op, allocs/op, ...
}

// microPackages hold the benchmarks of the code that a request passes through.
var microPackages = []string{"./routing", "./server/internal/h1"}

// microMain is the micro subcommand; arguments are other packages.
func microMain(ctx context.Context, args []string, out io.Writer) error {
	fs := flag.NewFlagSet("micro", flag.ContinueOnError)
	if err := fs.Parse(args); err != nil {
		return err
	}
	packages := microPackages
	if fs.NArg() > 0 {
		packages = fs.Args()
	}
	all, err := runMicro(ctx, packages)
	for _, m := range all {
		fmt.Fprintf(out, "%-20s %-50s %12.1f ns/op %8.0f B/op %6.0f allocs/op\n", m.Package, m.Name, m.Values["ns/op"], m.Values["B/op"], m.Values["allocs/op"])
	}
	return err
}

// runMicro runs the benchmarks of the packages, one package after the other.
func runMicro(ctx context.Context, packages []string) ([]Micro, error) {
	args := append([]string{"test", "-p=1", "-run=^$", "-bench=.", "-benchmem"}, packages...)
	out, err := exec.CommandContext(ctx, "go", args...).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("run micro benchmarks: %w: %s", err, out)
	}
	return parseMicro(string(out)), nil
}

// parseMicro reads the output of go test -bench; other lines are skipped.
func parseMicro(text string) []Micro {
	var out []Micro
	pkg := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == "pkg:" {
			pkg = f[1]
			continue
		}
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			continue
		}
		m := Micro{Package: pkg[strings.LastIndexByte(pkg, '/')+1:], Name: strings.TrimPrefix(f[0], "Benchmark"), N: n, Values: map[string]float64{}}
		for i := 2; i+1 < len(f); i += 2 {
			if v, err := strconv.ParseFloat(f[i], 64); err == nil {
				m.Values[f[i+1]] = v
			}
		}
		out = append(out, m)
	}
	return out
}
