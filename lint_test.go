package sluice_test

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// bans are the house rules that no linter knows. Each has its reason, because the person who meets it is
// about to work around it; a rule that does not serve the reader any more is changed here, in review.
var bans = []ban{
	{"raw atomic", "a typed atomic cannot be read without atomics by mistake, and is aligned on every platform", rawAtomic},
	{"panic without BUG", "only a broken invariant of ours may end the process, and its message must say so; everything else is an error", panicWithoutBug},
	{"slow call in hot function", "a function marked `// hot:` runs per request: it formats nothing, logs nothing, takes no lock, starts no goroutine and defers nothing in a loop", slowInHot},
	{"sleep", "a sleep is too long on a fast machine and too short on a slow one: use a timer of the loop, a barrier, or testing/synctest; a test that plays a slow peer says so on the line", sleep},
	{"exit", "os.Exit and log.Fatal skip every defer and every drain; only package main ends the process", exit},
	{"import alias", "one name for one package everywhere, so that a reader never looks it up", importAlias},
	{"vague package name", "a package is named after what it holds; what fits nowhere is copied or gets a name", vaguePackage},
	{"long file", "one concept has room in 800 lines; a file that needs more says `// Long because ...` at its top", longFile},
}

// exceptions are the places that break a rule knowingly: "ban: path" -> reason.
var exceptions = map[string]string{
	"exit: main.go": "Main is the main function of a program; returned, the exit code of a failed check would be lost wherever a caller forgets it",
}

// ban is one house rule. find returns the places that break it.
type ban struct {
	name   string
	reason string
	find   func(*source) []finding
}

// finding is a line and what is wrong there.
type finding struct {
	line int
	what string
}

func TestHouseRules(t *testing.T) {
	used := map[string]bool{}
	for _, s := range goSources(t) {
		for _, b := range bans {
			for _, f := range b.find(s) {
				key := b.name + ": " + s.path
				if _, ok := exceptions[key]; ok {
					used[key] = true
					continue
				}
				t.Errorf("%s:%d: %s: %s", s.path, f.line, f.what, b.reason)
			}
		}
	}
	for key := range exceptions {
		if !used[key] {
			t.Errorf("the exception %q excepts nothing: remove it", key)
		}
	}
}

// unfinished finds the words that mark unfinished work. They are put together here, so that this file
// does not contain them.
var unfinished = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"}, "|") + `)\b`)

// TestNothingUnfinished: work that is left is an issue, where it can be seen and closed.
func TestNothingUnfinished(t *testing.T) {
	walkFiles(t, func(name string) {
		switch path.Ext(name) {
		case ".go", ".md", ".yaml", ".sh", "", ".mod", ".tmpl", ".conf", ".cfg":
		default:
			return
		}
		for i, line := range strings.Split(readFile(t, name), "\n") {
			if word := unfinished.FindString(line); word != "" {
				t.Errorf("%s:%d: %s: finish it, or open an issue", name, i+1, word)
			}
		}
	})
}

// product reports whether the file is part of the binary or of its tests, not of a tool beside it.
func product(s *source) bool {
	return !strings.HasPrefix(s.path, "bench/") && !strings.HasPrefix(s.path, "deploy/")
}

var rawAtomicFunc = regexp.MustCompile(`^(Add|And|CompareAndSwap|Load|Or|Store|Swap)(Int32|Int64|Uint32|Uint64|Uintptr|Pointer)$`)

func rawAtomic(s *source) []finding {
	return selections(s, s.file, "sync/atomic", rawAtomicFunc.MatchString)
}

func panicWithoutBug(s *source) []finding {
	if s.test() {
		return nil
	}
	var found []finding
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if id, ok := call.Fun.(*ast.Ident); ok && id.Name == "panic" && len(call.Args) == 1 && !strings.HasPrefix(leftmostString(call.Args[0]), "BUG:") {
			found = append(found, finding{s.line(call.Pos()), `panic without "BUG:"`})
		}
		return true
	})
	return found
}

// leftmostString returns the text that the value of an expression begins with, as far as it is a
// literal: of "a"+x, of fmt.Sprintf("a"), of errors.New("a").
func leftmostString(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, _ := strconv.Unquote(e.Value)
		return text
	case *ast.BinaryExpr:
		return leftmostString(e.X)
	case *ast.ParenExpr:
		return leftmostString(e.X)
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return leftmostString(e.Args[0])
		}
	}
	return ""
}

// slowPackages are those that no hot function calls, whatever the function.
var slowPackages = []string{"fmt", "log", "log/slog", "reflect", "regexp", "errors", "os", "encoding/json", "sort"}

func slowInHot(s *source) []finding {
	var found []finding
	for _, decl := range s.file.Decls {
		function, ok := decl.(*ast.FuncDecl)
		if !ok || function.Body == nil || !hot(function) {
			continue
		}
		for _, pkg := range slowPackages {
			found = append(found, selections(s, function.Body, pkg, isFunction)...)
		}
		found = append(found, slowStatements(s, function.Body, false)...)
	}
	return found
}

// isFunction accepts the names that look like calls worth banning: errors.Is and errors.As only
// compare, and are left alone.
func isFunction(name string) bool { return name != "Is" && name != "As" && name != "AsType" }

// hot reports whether a line of the function's comment begins with "hot:".
func hot(function *ast.FuncDecl) bool {
	if function.Doc == nil {
		return false
	}
	return slices.ContainsFunc(function.Doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "// hot:")
	})
}

// slowStatements finds locks, goroutines, and defers in loops.
func slowStatements(s *source, root ast.Node, inLoop bool) []finding {
	var found []finding
	ast.Inspect(root, func(n ast.Node) bool {
		if n == root {
			return true
		}
		switch n := n.(type) {
		case *ast.GoStmt:
			found = append(found, finding{s.line(n.Pos()), "go statement in a hot function"})
		case *ast.DeferStmt:
			if inLoop {
				found = append(found, finding{s.line(n.Pos()), "defer in a loop of a hot function"})
			}
		case *ast.ForStmt:
			found = append(found, slowStatements(s, n.Body, true)...)
			return false
		case *ast.RangeStmt:
			found = append(found, slowStatements(s, n.Body, true)...)
			return false
		case *ast.CallExpr:
			if selector, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) == 0 {
				switch name := selector.Sel.Name; name {
				case "Lock", "RLock":
					found = append(found, finding{s.line(n.Pos()), name + " in a hot function"})
				}
			}
		}
		return true
	})
	return found
}

func sleep(s *source) []finding {
	// In a synctest bubble time is virtual and a Sleep is exact.
	if !product(s) || s.test() && importedAs(s.file, "testing/synctest") != "" {
		return nil
	}
	found := selections(s, s.file, "time", func(name string) bool { return name == "Sleep" })
	if s.test() {
		// A test may play a slow peer, with a mark on the line.
		lines := strings.Split(s.text, "\n")
		found = slices.DeleteFunc(found, func(f finding) bool { return strings.Contains(lines[f.line-1], "// ") })
	}
	return found
}

func exit(s *source) []finding {
	if s.file.Name.Name == "main" || s.test() {
		return nil
	}
	found := selections(s, s.file, "os", func(name string) bool { return name == "Exit" })
	return append(found, selections(s, s.file, "log", func(name string) bool { return strings.HasPrefix(name, "Fatal") })...)
}

// aliases are the fixed names of packages whose own name, or habit, is ambiguous.
var aliases = map[string]string{
	"k8s.io/api/apps/v1":                   "appsv1",
	"k8s.io/api/core/v1":                   "corev1",
	"k8s.io/api/discovery/v1":              "discoveryv1",
	"k8s.io/api/events/v1":                 "eventsv1",
	"k8s.io/api/networking/v1":             "networkingv1",
	"k8s.io/api/rbac/v1":                   "rbacv1",
	"k8s.io/apimachinery/pkg/api/errors":   "apierrors",
	"k8s.io/apimachinery/pkg/apis/meta/v1": "metav1",
}

func importAlias(s *source) []finding {
	var found []finding
	for _, spec := range s.file.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		want, ok := aliases[imported]
		if ok && (spec.Name == nil || spec.Name.Name != want && spec.Name.Name != "_") {
			found = append(found, finding{s.line(spec.Pos()), imported + " is imported as " + want})
		}
	}
	return found
}

func vaguePackage(s *source) []finding {
	switch name := strings.TrimSuffix(s.file.Name.Name, "_test"); name {
	case "util", "utils", "common", "helper", "helpers", "misc", "base", "shared", "types":
		return []finding{{s.line(s.file.Name.Pos()), "package " + name}}
	}
	return nil
}

func longFile(s *source) []finding {
	const limit, top = 800, 60
	lines := strings.Split(s.text, "\n")
	if len(lines) <= limit {
		return nil
	}
	for _, line := range lines[:top] {
		if strings.HasPrefix(line, "// Long because ") {
			return nil
		}
	}
	return []finding{{limit, fmt.Sprintf("%d lines", len(lines))}}
}

// selections finds uses below root of the names that want accepts in an imported package, under
// whatever name the file imports it.
func selections(s *source, root ast.Node, imported string, want func(name string) bool) []finding {
	local := importedAs(s.file, imported)
	if local == "" {
		return nil
	}
	var found []finding
	ast.Inspect(root, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := selector.X.(*ast.Ident); ok && id.Name == local && want(selector.Sel.Name) {
				found = append(found, finding{s.line(selector.Pos()), imported + "." + selector.Sel.Name})
			}
		}
		return true
	})
	return found
}

// importedAs returns the name by which file refers to a package, "" where it does not import it.
func importedAs(file *ast.File, imported string) string {
	for _, spec := range file.Imports {
		if unquoted, _ := strconv.Unquote(spec.Path.Value); unquoted != imported {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(imported)
	}
	return ""
}

// TestBans shows each rule one piece of code that breaks it and one that does not.
func TestBans(t *testing.T) {
	rows := []struct {
		ban, path, code string
		want            int
	}{
		{"raw atomic", "routing/a.go", `package a; import "sync/atomic"; func f(p *int32) { atomic.AddInt32(p, 1) }`, 1},
		{"raw atomic", "routing/a_test.go", `package a; import at "sync/atomic"; func f(p *int64) { at.LoadInt64(p) }`, 1},
		{"raw atomic", "routing/a.go", `package a; import "sync/atomic"; var n atomic.Int32; func f() { n.Add(1) }`, 0},

		{"panic without BUG", "routing/a.go", `package a; func f() { panic("no") }`, 1},
		{"panic without BUG", "routing/a.go", `package a; func f(err error) { panic(err) }`, 1},
		{"panic without BUG", "routing/a.go", `package a; func f(err error) { panic("BUG: a: " + err.Error()) }`, 0},
		{"panic without BUG", "routing/a.go", `package a; import "fmt"; func f(n int) { panic(fmt.Sprintf("BUG: %d", n)) }`, 0},
		{"panic without BUG", "routing/a_test.go", `package a; func f() { panic("test") }`, 0},

		{"slow call in hot function", "server/a.go", "package a; import \"fmt\"\n// f does.\n//\n// hot: runs per request\nfunc f() { fmt.Sprint(1) }", 1},
		{"slow call in hot function", "server/a.go", "package a; import \"fmt\"\n// f does.\nfunc f() { fmt.Sprint(1) }", 0},
		{"slow call in hot function", "server/a.go", "package a; import \"errors\"\n// hot: x\nfunc f(err error) bool { return errors.Is(err, nil) }", 0},
		{"slow call in hot function", "server/a.go", "package a; import \"sync\"\nvar mu sync.Mutex\n// hot: x\nfunc f() { mu.Lock() }", 1},
		{"slow call in hot function", "server/a.go", "package a\n// hot: x\nfunc f() { go f() }", 1},
		{"slow call in hot function", "server/a.go", "package a\n// hot: x\nfunc f() { for range 3 { if true { defer f() } } }", 1},
		{"slow call in hot function", "server/a.go", "package a\n// hot: x\nfunc f() { defer f() }", 0},

		{"sleep", "server/a_test.go", `package a; import "time"; func f() { time.Sleep(1) }`, 1},
		{"sleep", "server/a.go", `package a; import "time"; func f() { time.NewTimer(1) }`, 0},
		{"sleep", "server/a_test.go", `package a; import ("time"; "testing/synctest"); var _ = synctest.Wait; func f() { time.Sleep(1) }`, 0},
		{"sleep", "server/a_test.go", `package a; import "time"; func f() { time.Sleep(1) } // a slow backend`, 0},
		{"sleep", "server/a.go", `package a; import "time"; func f() { time.Sleep(1) } // a while`, 1},
		{"sleep", "bench/a.go", `package main; import "time"; func f() { time.Sleep(1) }`, 0}, // it measures real time

		{"exit", "server/a.go", `package a; import "os"; func f() { os.Exit(1) }`, 1},
		{"exit", "server/a.go", `package a; import "log"; func f() { log.Fatalf("") }`, 1},
		{"exit", "main.go", `package main; import "os"; func main() { os.Exit(1) }`, 0},

		{"import alias", "informer/a.go", `package a; import "k8s.io/api/core/v1"`, 1},
		{"import alias", "informer/a.go", `package a; import v1 "k8s.io/api/core/v1"`, 1},
		{"import alias", "informer/a.go", `package a; import corev1 "k8s.io/api/core/v1"`, 0},

		{"vague package name", "server/util/a.go", `package util`, 1},
		{"vague package name", "server/config/a.go", `package config`, 0},

		{"long file", "server/a.go", "package a\n" + strings.Repeat("//\n", 900), 1},
		{"long file", "server/a.go", "// Long because it is a table.\n\npackage a\n" + strings.Repeat("//\n", 900), 0},
		{"long file", "server/a.go", "package a\n" + strings.Repeat("//\n", 700), 0},
	}
	tested := map[string]bool{}
	for _, row := range rows {
		i := slices.IndexFunc(bans, func(b ban) bool { return b.name == row.ban })
		if i < 0 {
			t.Fatalf("no ban is named %q", row.ban)
		}
		s, err := parseSource(row.path, row.code)
		if err != nil {
			t.Fatalf("%s: %v", row.ban, err)
		}
		tested[row.ban] = tested[row.ban] || row.want > 0
		if got := bans[i].find(s); len(got) != row.want {
			t.Errorf("%s: %s: %v, want %d findings", row.ban, row.code, got, row.want)
		}
	}
	for _, b := range bans {
		if !tested[b.name] {
			t.Errorf("no row shows that %q finds anything", b.name)
		}
	}
	for _, word := range []string{"TO" + "DO", "FIX" + "ME: x"} {
		if unfinished.FindString("// "+word) == "" {
			t.Errorf("%q is not found", word)
		}
	}
	if word := unfinished.FindString("todo list of Methods, hackathon"); word != "" {
		t.Errorf("%q is found in ordinary words", word)
	}
}
