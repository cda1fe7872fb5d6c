package expression

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want string // a part of the error; "" for none
	}{
		{"", ""},
		{"CN=web", ""},
		{`^(?:CN=web-\d+\.shop\.example)`, ""},
		{"CN=(" + strings.Repeat("name|", 150) + "name)", ""},
		{"(?i)CN=[a-zé]+", ""},
		{`CN=\pL{1,64}`, "instructions"}, // some six hundred ranges, 64 times over
		{`CN=\w{1,64}`, ""},
		{strings.Repeat("a", MaxText+1), "1025 bytes"},
		{strings.Repeat("a{1000}", 3000), "21000 bytes"},
		{strings.Repeat("(?:.?){1000}", 80), "instructions"},
		{strings.Repeat("a{1000}", 100), "instructions"},
		{"a{1000}", "instructions"},
		{"a{0,1000}", "instructions"},
		{"a{999,}", "instructions"},
		{"(a{30}){30}", "instructions"},
		{"((a{10}){10}){10}", "instructions"},
		{"a{100}", ""},
		{"(((((((((a?)*)?)*)?)*)?)*)?)*", ""},
		{strings.Repeat(`\pL`, 300), "instructions"},
		{strings.Repeat("(", 600) + "a" + strings.Repeat(")", 400), "cannot be read"},
		{strings.Repeat("(", 400) + "a" + strings.Repeat(")", 400), ""},
		{"a{1001}", "cannot be read"},
		{"(a", "cannot be read"},
		{`(?<=a)b`, "cannot be read"},
		{`a\1`, "cannot be read"},
		{"a\xff", "cannot be read"},
	}
	for _, test := range tests {
		e, err := Parse(test.text)
		shown := test.text[:min(len(test.text), 40)]
		switch {
		case test.want == "" && (err != nil || e.String() != test.text):
			t.Errorf("%s: %v", shown, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: %v, want %q", shown, err, test.want)
		case test.want != "" && len(err.Error()) > 200:
			t.Errorf("%s: the error has %d bytes", shown, len(err.Error()))
		}
	}
}

func TestMatch(t *testing.T) {
	e, err := Parse("^(?:CN=a+)")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		input string
		want  bool
	}{
		{"CN=aa", true},
		{"CN=b", false},
		{"xCN=a", false},
		{"", false},
		{"CN=" + strings.Repeat("a", MaxInput-3), true},
		{"CN=" + strings.Repeat("a", MaxInput-2), false}, // one byte too long
	}
	for _, test := range tests {
		if got := e.Match(test.input); got != test.want {
			t.Errorf("%.20s (%d bytes): %v", test.input, len(test.input), got)
		}
	}
	if !(Expression{}).Match("anything") {
		t.Error("the zero value does not match everything")
	}
}

// instructions is the size of regexp's own program for a text, in the units of size.
func instructions(t *testing.T, text string) (n int) {
	t.Helper()
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		t.Fatal(err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		t.Fatal(err)
	}
	for i := range prog.Inst {
		n += 1 + len(prog.Inst[i].Rune)/2
	}
	return n
}

// FuzzSize: no program is larger than Parse took it for.
func FuzzSize(f *testing.F) {
	for _, text := range []string{"a", "a*b+c?", "a{3,5}(b|c)*", `\pL{2}`, "(?i)straße", "[a-z]{0,7}|x{3,}", "(?:.?){100}", "a|b|cd|ef", "^$\\b", "(a{0}){5}", "(?i)k{5}", "((a*)*)*", "(?s).{5}", "(?U)a+?"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			return
		}
		// The two are the start and the end of a program.
		if real, counted := instructions(t, e.text), sizeOf(e.text); real > counted+2 {
			t.Errorf("%q: %d instructions, counted %d", text, real, counted)
		}
		if _, err := regexp.Compile(text); err != nil {
			t.Errorf("%q is taken, and cannot be compiled: %v", text, err)
		}
	})
}

// cpu is the time that the process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		t.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// worst are expressions as large as they may be.
func worst(n int) (list []Expression) {
	for i := range n {
		for _, shape := range []string{"^%d(?:.?){120}x", "^%d(?:[ab]?[ac]?[ad]?){50}x", "^%d(?:a|bc|d|ef|g|hi){40}x"} {
			e, err := Parse(fmt.Sprintf(shape, i))
			if err != nil {
				panic(err)
			}
			list = append(list, e)
		}
	}
	return list
}

// TestRefusingCostsNothing: a thousand expressions that are far too large are refused in little time and
// memory. Made into programs, three of them took 126 MiB.
func TestRefusingCostsNothing(t *testing.T) {
	hostile := []string{strings.Repeat("a{1000}", 3000), strings.Repeat("a{1000}", 146), strings.Repeat("(?:.?){1000}", 85), strings.Repeat(`\pL{1000}`, 100)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begun := cpu(t)
	const times = 250
	for range times {
		for _, text := range hostile {
			if _, err := Parse(text); err == nil {
				t.Fatal("taken")
			}
		}
	}
	used := cpu(t) - begun
	runtime.ReadMemStats(&after)
	each := (after.TotalAlloc - before.TotalAlloc) / (times * uint64(len(hostile)))
	t.Logf("%v of CPU and %d bytes each", used/time.Duration(times*len(hostile)), each)
	if each > 1<<20 || used > 20*time.Second {
		t.Errorf("refusing %d expressions took %v of CPU and %d bytes each", times*len(hostile), used, each)
	}
}

// TestMatchingIsBounded: the worst expression on the longest input takes milliseconds.
func TestMatchingIsBounded(t *testing.T) {
	input := "0" + strings.Repeat("abcdefgh", MaxInput/8-1)
	for _, e := range worst(1) {
		e.Match(input)
		begun := cpu(t)
		const times = 10
		for range times {
			if e.Match(input) {
				t.Fatalf("%s matches", e)
			}
		}
		each := (cpu(t) - begun) / times
		t.Logf("%s: %v", e, each)
		if each > 200*time.Millisecond {
			t.Errorf("%s: %v of CPU for one input", e, each)
		}
	}
}

// TestCache: what is used is compiled once, by however many goroutines; what is kept is bounded.
func TestCache(t *testing.T) {
	c := NewCache(4 * MaxProgram)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				c.get("CN=web")
			}
		})
	}
	all.Wait()
	if n := c.compiled.Load(); n != 1 {
		t.Errorf("compiled %d times", n)
	}
	list := worst(100)
	for _, e := range list {
		c.get(e.text)
		c.get("CN=web") // in use, and stays
		if c.held > c.limit || len(c.byText) != c.order.Len() {
			t.Fatalf("%d instructions held, %d texts, %d in order", c.held, len(c.byText), c.order.Len())
		}
	}
	if n := c.compiled.Load(); n != uint64(len(list))+1 {
		t.Errorf("compiled %d programs, want %d", n, len(list)+1)
	}
}

// TestKeptMemoryIsBounded: 3,000 expressions that are as large as they may be leave what the Cache holds.
func TestKeptMemoryIsBounded(t *testing.T) {
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	list := worst(1000)
	before := live()
	for _, e := range list {
		e.Match("0")
	}
	grown := int64(live()) - int64(before)
	t.Logf("%d KiB kept of %d programs", grown>>10, len(list))
	if grown > 32<<20 {
		t.Errorf("%d MiB kept", grown>>20)
	}
	runtime.KeepAlive(list)
}
