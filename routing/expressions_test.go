package routing_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/sluice-gateway/sluice/routing"
	"github.com/sluice-gateway/sluice/routing/expression"
	"github.com/sluice-gateway/sluice/routing/internal/oracle"
)

// regularTable has one Host, h, of expressions in this order; "" is a default backend. Routes are told apart by Backend.
func regularTable(t testing.TB, texts []string) *routing.Table {
	t.Helper()
	list := make([]routing.Expression, len(texts))
	for i, text := range texts {
		list[i].Route = routing.Route{Path: text, Backend: int32(i), Default: text == ""}
		if text != "" {
			p, err := expression.ParsePattern(text)
			if err != nil {
				t.Fatal(err)
			}
			list[i].Pattern = p
		}
	}
	h := new(routing.Builder).BuildExpressions("h", list, routing.Route{})
	table := (*routing.Table)(nil).With(map[string]*routing.Host{"h": h}, nil)
	if err := routing.Validate(table); err != nil {
		t.Fatal(err)
	}
	return table
}

func agreeRegular(t testing.TB, texts, paths []string) {
	t.Helper()
	table := regularTable(t, texts)
	for _, path := range paths {
		got, want := -1, oracle.MatchExpressions(texts, path)
		r := table.Match([]byte("h"), []byte(path))
		if r != nil {
			got = int(r.Backend)
		}
		if got != want {
			t.Fatalf("%q on %q: route %d, the oracle says %d", texts, path, got, want)
		}
		if e := table.Explain([]byte("h"), []byte(path)); e.Route != r {
			t.Fatalf("%q on %q: Explain says %v, Match %v", texts, path, e.Route, r)
		}
	}
}

// TestExpressionsEverySet is exhaustive over orders of three of these.
func TestExpressionsEverySet(t *testing.T) {
	universe := []string{"/", "/a", "/a/", "/A/b", "/a/[bc]", "/a/b|/c", "/(a|b)/", "/.*c", "/a/b/c$", "/ab", "/b?", ""}
	paths := []string{"/", "/a", "/A", "/a/", "/a/b", "/A/B", "/a/c", "/ab", "/abc", "/x/c", "/a/b/c", "/a/b/cd", "/b/a", "/c", "", "*", "x"}
	for _, a := range universe {
		agreeRegular(t, []string{a}, paths)
		for _, b := range universe {
			for _, c := range universe {
				agreeRegular(t, []string{a, b, c}, paths)
			}
		}
	}
}

// FuzzExpressions reads bytes as expressions of few words and a path of these.
func FuzzExpressions(f *testing.F) {
	words := []string{"/", "a", "b", "AB", ".*", "[a-c]", "(a|/b)", "x?", "$", "|"}
	f.Add([]byte{3, 0, 1, 0, 4, 255, 0, 2, 255, 0, 3, 8}, "/ab/")
	f.Add([]byte{0, 1, 0, 255, 0, 1, 0, 2, 255, 0, 1}, "/a/b/c")
	f.Fuzz(func(t *testing.T, spec []byte, path string) {
		if len(spec) > 200 || len(path) > 100 || strings.ContainsFunc(path, func(r rune) bool { return r >= 0x80 || r == '\n' }) {
			return
		}
		texts := []string{"/"}
		for _, c := range spec {
			if c >= 200 {
				texts = append(texts, "/")
				continue
			}
			if text := texts[len(texts)-1] + words[int(c)%len(words)]; valid(text) {
				texts[len(texts)-1] = text
			}
		}
		agreeRegular(t, texts, []string{path, strings.ToUpper(path), path + "/"})
	})
}

func valid(text string) bool {
	_, err := expression.ParsePattern(text)
	return err == nil
}

func TestExpressionsExplain(t *testing.T) {
	table := regularTable(t, []string{"/shop/[a-z]+", "/shop"})
	text := table.Explain([]byte("h"), []byte("/shop/cart")).String()
	for _, want := range []string{"* ", "Regular /shop/[a-z]+", "the first expression that matches"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
}

// TestExpressionsOverrun: what costs too much to match is answered by a Route without a Backend, and by none that comes later.
func TestExpressionsOverrun(t *testing.T) {
	texts := make([]string, 20_000)
	for i := range texts {
		texts[i] = fmt.Sprintf("/(.*)(.*)x%d", i)
	}
	texts = append(texts, "/")
	table := regularTable(t, texts)
	path := []byte("/" + strings.Repeat("a", 100))
	r := table.Match([]byte("h"), path)
	if r == nil || r.Backend >= 0 || r.Host != "h" {
		t.Fatalf("got %+v", r)
	}
	if text := table.Explain([]byte("h"), path).String(); !strings.Contains(text, "503") {
		t.Error(text)
	}
	if r := table.Match([]byte("h"), []byte("/x0")); r == nil || r.Backend != 0 {
		t.Errorf("the first gives %+v", r)
	}
}

// regularShape has n expressions of one Host as they are written, and a request for each.
func regularShape(n int) (texts []string, paths [][]byte) {
	for i := range n {
		texts = append(texts, fmt.Sprintf("/api/team-%d/service-%d(/|$)(.*)", i%97, i))
		paths = append(paths, fmt.Appendf(nil, "/api/team-%d/service-%d/items/42", i%97, i))
	}
	return texts, paths
}

// BenchmarkMatchExpressions is one Host of expressions: one of them, and many; "hot" and "spread" as in BenchmarkMatch.
func BenchmarkMatchExpressions(b *testing.B) {
	for _, n := range []int{1, 100, 10_000} {
		texts, paths := regularShape(n)
		table := regularTable(b, texts)
		host := []byte("h")
		for _, load := range []struct {
			name string
			of   int
		}{{"hot", min(n, 64)}, {"spread", n}} {
			b.Run(fmt.Sprintf("expressions=%d/%s", n, load.name), func(b *testing.B) {
				b.ReportAllocs()
				begun := processor(b)
				i := 0
				for ; b.Loop(); i++ {
					if r := table.Match(host, paths[i%load.of*7919%n]); r == nil {
						b.Fatal("no Route")
					}
				}
				b.ReportMetric(float64(processor(b)-begun)/float64(i), "cpu-ns/op")
			})
		}
	}
}

// processor is the time that the process has used, in nanoseconds: others may have the machine.
func processor(b *testing.B) int64 {
	b.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return use.Utime.Nano() + use.Stime.Nano()
}

// TestExpressionsLong has beginnings shorter and longer than what is put into lower case once.
func TestExpressionsLong(t *testing.T) {
	var texts, paths []string
	for _, n := range []int{1, 126, 127, 128, 129, 200, 900} {
		begin := "/" + strings.Repeat("Ab", n/2) + strings.Repeat("c", n%2)
		texts = append(texts, begin+"x", begin, begin+"[y-z]", begin+"y/")
		paths = append(paths, begin, begin+"X", begin+"y", begin+"Y/", begin+"~", begin[:len(begin)-1], strings.ToUpper(begin)+"ab")
	}
	agreeRegular(t, texts, paths)
}
