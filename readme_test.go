package sluice_test

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "Rewrite generated files.")

const (
	benchBegin  = "<!-- bench:begin -->\n"
	benchEnd    = "<!-- bench:end -->"
	benchReport = "bench/results/latest/report.md"
)

// TestGeneratedReadmeTable keeps the README's comparison equal to the last committed run of bench:
// a figure there is one that the benchmark printed, or there is none.
func TestGeneratedReadmeTable(t *testing.T) {
	readme := readFile(t, "README.md")
	before, rest, ok := strings.Cut(readme, benchBegin)
	have, after, ok2 := strings.Cut(rest, benchEnd)
	if !ok || !ok2 {
		t.Fatalf("README.md has no %s and %s", strings.TrimSpace(benchBegin), benchEnd)
	}
	report, err := os.ReadFile(benchReport)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("read report: %v", err)
	}
	want, err := comparison(string(report))
	if err != nil {
		t.Fatalf("%s: %v", benchReport, err)
	}
	if have == want {
		return
	}
	if !*update {
		t.Errorf("README.md's comparison is not what %s says: run `make generate`", benchReport)
		return
	}
	if err := os.WriteFile("README.md", []byte(before+benchBegin+want+benchEnd+after), 0o644); err != nil {
		t.Fatalf("write README: %v", err)
	}
}

// TestMainIsShownAsItIs: the README and the package's documentation show the call of Main that deploy/example makes,
// and that its test runs.
func TestMainIsShownAsItIs(t *testing.T) {
	_, call, ok := strings.Cut(readFile(t, "deploy/example/main.go"), "\nfunc main() {\n")
	call, _, ok2 := strings.Cut(call, "\n}\n")
	if call = strings.TrimSpace(call); !ok || !ok2 || !strings.HasPrefix(call, "sluice.Main(") {
		t.Fatalf("the main function of deploy/example is not one call: %q", call)
	}
	for _, name := range []string{"README.md", "doc.go"} {
		if !strings.Contains(strings.ReplaceAll(readFile(t, name), "\n//\t", "\n"), call) {
			t.Errorf("%s does not show %s", name, call)
		}
	}
}

// comparison makes the README's table of a report of bench: one line for each section with a table of
// proxies, CPU in microseconds per request of Sluice and of the best of the others.
func comparison(report string) (string, error) {
	if report == "" {
		return "No run is committed yet; `make bench` makes one.\n", nil
	}
	type section struct {
		name  string
		own   string // Sluice's CPU per request
		ratio string // Sluice's
		best  string // the peer that needs the least
		cpu   string // what it needs
	}
	var sections []section
	var facts []string
	var header []string
	for line := range strings.Lines(report) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "## "); ok {
			sections = append(sections, section{name: title})
			header = nil
			continue
		}
		if title, ok := strings.CutPrefix(line, "# "); ok {
			facts = append(facts, title+".")
		}
		if fact, ok := strings.CutPrefix(line, "- "); ok && len(sections) == 0 {
			facts = append(facts, fact+".")
		}
		cells := cellsOf(line)
		switch {
		case cells == nil || len(sections) == 0:
			header = nil
		case cells[0] == "proxy":
			// Latency and memory have tables of their own, which the report shows.
			if slices.Contains(cells, "CPU us/request") && slices.Contains(cells, "ratio") {
				header = cells
			}
		case header != nil && !strings.HasPrefix(cells[0], "-"):
			now := &sections[len(sections)-1]
			if len(cells) != len(header) {
				return "", fmt.Errorf("section %q: a row of %d cells under a header of %d", now.name, len(cells), len(header))
			}
			cpu, _, _ := strings.Cut(cells[slices.Index(header, "CPU us/request")], " ")
			if cells[0] == "sluice" {
				now.own, now.ratio = cpu, cells[slices.Index(header, "ratio")]
				continue
			}
			if cpu == "-" {
				continue // no valid round
			}
			need, err := strconv.ParseFloat(cpu, 64)
			if err != nil {
				return "", fmt.Errorf("section %q: CPU of %s: %w", now.name, cells[0], err)
			}
			if least, _ := strconv.ParseFloat(now.cpu, 64); now.best == "" || need < least {
				now.best, now.cpu = cells[0], cpu
			}
		}
	}
	sections = slices.DeleteFunc(sections, func(s section) bool { return s.own == "" || s.own == "-" })
	if len(sections) == 0 {
		return "", errors.New("no section has a row of sluice")
	}

	var out strings.Builder
	out.WriteString("CPU time of the proxy, user and system, in microseconds per request; the ratio is Sluice's to the best of the peers in that work.\n\n")
	out.WriteString("| work | sluice | best peer | its CPU | ratio |\n|---|---|---|---|---|\n")
	for _, s := range sections {
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s |\n", s.name, s.own, s.best, s.cpu, s.ratio)
	}
	fmt.Fprintf(&out, "\n%s\nAll of it, with every peer and the spread of the rounds: [the report](%s).\n", strings.Join(facts, "\n"), benchReport)
	return out.String(), nil
}

// cellsOf splits a line of a Markdown table, nil where it is none.
func cellsOf(line string) []string {
	inner, ok := strings.CutPrefix(line, "|")
	if !ok {
		return nil
	}
	cells := strings.Split(strings.TrimSuffix(inner, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// TestComparison reads the report that bench's own tests hold as its golden output, so that a change
// of the report's form is noticed here.
func TestComparison(t *testing.T) {
	got, err := comparison(readFile(t, "bench/testdata/report.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| work | sluice | best peer | its CPU | ratio |\n",
		"| small response, 64 connections | 8.20 | nginx | 10.40 | 0.79 |\n",
		"| 1 MiB bodies, 64 connections | 227.50 | haproxy | 212.00 | 1.07 |\n",
		"| 1 Route, 64 connections | 8.20 |  |  |  |\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no line %q in\n%s", want, got)
		}
	}
	if got, err := comparison(""); err != nil || !strings.Contains(got, "make bench") {
		t.Errorf("without a report: %q, %v", got, err)
	}
	if _, err := comparison("# x\n\n## y\n\n| proxy | CPU us/request |\n|---|---|\n| nginx | 1 |\n"); err == nil {
		t.Error("a report without Sluice is accepted")
	}
}
