package sluice_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluice-gateway/sluice"

// forbidden is the dependency drawing of ARCHITECTURE.md, one row for each arrow that must not exist.
// A row is removed by a review that agrees that the reason no longer holds, not to get a build green.
//
// Patterns are import paths, those of this module relative to it; "x/..." is x and all below it;
// "..." is everything; "!std" is everything outside the standard library and outside `from` itself, but for
// outcome, which is a type and imports nothing; htpasswd and jwt below routing are not asked.
var forbidden = []edge{
	{"routing/...", "!std", direct,
		"routing is what every other package agrees on and what a reader learns first: it must build, fuzz and be read alone"},
	{"routing", "routing/htpasswd/...", transitive,
		"as above: htpasswd needs golang.org/x/crypto; filters verify passwords, and who reads a Secret looks at their hashes"},
	{"routing/policy/...", "routing/htpasswd/...", transitive,
		"as above"},
	{"routing", "routing/jwt/...", transitive,
		"as above: jwt needs go-jose"},
	{"routing/policy/...", "routing/jwt/...", transitive,
		"as above"},
	{"routing/jwt/...", "k8s.io/...", transitive,
		"a token and a set of keys are text, wherever they came from"},
	{"routing/jwt/...", "net/http", transitive,
		"as above: who fetches keys bounds how"},
	{"routing/jwt/...", "informer/...", transitive,
		"what a token is worth is decided by it and by keys alone: the informer and the filters ask the same code"},
	{"routing/jwt/...", "server/...", transitive,
		"as above"},
	{"routing/jwt/...", "routing", transitive,
		"as above"},
	{"routing/htpasswd/...", "k8s.io/...", transitive,
		"a hash is text, wherever it came from"},
	{"routing/policy/...", "!std", direct,
		"a policy is plain values: routing carries them, informer makes them, the data plane compiles them, and each can be read without the others"},
	{"server/...", "informer/...", transitive,
		"the data plane knows Snapshots, not where they come from; the root wires the two"},
	{"server/...", "k8s.io/...", transitive,
		"the request path must never reach an API object; a Snapshot holds all that a request may read"},
	{"server", "server/filter/...", transitive,
		"filters use the contract as anybody's do, and are handed in: none has a private door"},
	{"server/internal/...", "server/filter/...", transitive,
		"as above"},
	{"server/filter/access/...", "server/filter/rewrite/...", transitive,
		"filters know nothing of each other: their order is one table"},
	{"server/filter/rewrite/...", "server/filter/access/...", transitive,
		"as above"},
	{"server/filter/redirect/...", "server/filter/access/...", transitive,
		"as above"},
	{"server/filter/redirect/...", "server/filter/rewrite/...", transitive,
		"as above"},
	{"server/filter/choice/...", "server/filter/access/...", transitive,
		"as above"},
	{"server/filter/choice/...", "server/filter/rewrite/...", transitive,
		"as above"},
	{"server/filter/choice/...", "server/filter/redirect/...", transitive,
		"as above"},
	{"server/filter/variable/...", "server/filter/choice/...", transitive,
		"what a variable stands for does not depend on the Filter that asks"},
	{"server/filter/variable/...", "server/filter/access/...", transitive,
		"what a variable stands for does not depend on the Filter that asks"},
	{"server/filter/variable/...", "server/filter/rewrite/...", transitive,
		"as above"},
	{"server/filter/variable/...", "server/filter/redirect/...", transitive,
		"as above"},
	{"routing/htpasswd/...", "informer/...", transitive,
		"what a password is worth is decided by its hash alone: the informer and the filters ask the same code"},
	{"routing/htpasswd/...", "server/...", transitive,
		"as above"},
	{"routing/htpasswd/...", "routing", transitive,
		"as above"},
	{"upstream/...", "k8s.io/...", transitive,
		"a pool outlives Snapshots and knows Endpoints, not Pods"},
	{"upstream/...", "informer/...", transitive,
		"upstream is told of a Snapshot by a callback that the root wires"},
	{"upstream/...", "server/...", transitive,
		"server uses upstream; the loop hands itself in as an interface that upstream declares"},
	{"informer/...", "server/...", transitive,
		"a build must not depend on how requests are served: manifests are checked without a data plane"},
	{"informer/...", "upstream/...", transitive,
		"health and balancing state belong to the loops and are not inputs of a build"},
	{"informer/internal/source/...", "informer", transitive,
		"a source delivers objects and decides nothing of them; the compiler refuses the circle, and this says why"},
	{"informer/internal/source/...", "informer/annotation/...", transitive,
		"as above: what an annotation means is decided after its object has arrived"},
	{"informer/internal/source/...", "routing/...", transitive,
		"objects in, events out: what a Snapshot is made of changes without a source, and a source without Snapshots"},
	{"informer/internal/secret/...", "informer", transitive,
		"a set of Secrets is told of references and answers with Faults; the compiler refuses the circle, and this says why"},
	{"informer/internal/secret/...", "informer/internal/source/...", transitive,
		"it takes decoded objects, and says what is to be watched in words of its own: its tests need no queue"},
	{"informer/internal/secret/...", "informer/annotation/...", transitive,
		"a reference arrives as the name of an object: which annotation it came from changes nothing in the Secret"},
	{"informer/internal/secret/...", "k8s.io/client-go/...", transitive,
		"what holds private keys opens no connection"},
	{"informer/internal/secret/...", "log/...", shipped,
		"what holds private keys writes no log: its Faults are in its own words, and the rest has none"},
	{"informer/internal/plain/...", "!std", direct,
		"it is about text, whatever object the text is from"},
	{"informer/internal/wildcard/...", "!std", direct,
		"it is about names, whatever they are names of"},
	{"informer/annotation/...", "informer/internal/source/...", transitive,
		"what a value means does not depend on where its object came from"},
	{"informer/annotation/...", "k8s.io/client-go/...", transitive,
		"what a value means depends on the value alone; objects are looked up by informer, which makes Routes of it"},
	{"...", "bench/...", transitive,
		"bench measures the binary from outside"},
	{"bench/...", module, transitive,
		"as above"},
	{"...", "deploy/...", transitive,
		"deploy holds manifests, the tests of these, programs of a few lines, and a control plane with its own go.mod"},
	{"server/internal/wire/...", "server", transitive,
		"as its Exchanges, which it does not know either"},
	{"server/internal/wire/...", "server/config/...", transitive,
		"as above; limits are handed in"},
	{"server/internal/wire/...", "server/internal/stats/...", transitive,
		"as above; who uses bytes counts them"},
	{"server/internal/wire/...", "server/internal/h1/...", transitive,
		"a socket carries any protocol"},
	{"server/internal/wire/...", "routing/...", transitive,
		"bytes know no Route, Backend or Policy"},
	{"server/internal/wire/...", "upstream/...", transitive,
		"a socket is dialled by address: whose it is, and what becomes of it, is for its owner to say"},
	{"server/internal/exchange/...", "server", transitive,
		"the Exchange and its Filters know no connection and no Listener: a new kind of either changes nothing here"},
	{"server/internal/exchange/...", "server/internal/down/...", transitive,
		"as above; the two sides are interfaces that the Exchange declares"},
	{"server/internal/exchange/...", "server/internal/up/...", transitive,
		"as above"},
	{"server/internal/exchange/...", "server/internal/filter/...", transitive,
		"the contract does not know who uses it"},
	{"server/internal/exchange/...", "server/internal/clienthello/...", transitive,
		"as above; how a connection began is its own affair"},
	{"server/internal/exchange/...", "server/internal/proxyproto/...", transitive,
		"as above"},
	{"server/internal/exchange/...", "github.com/cloudwego/hertz/...", transitive,
		"middleware of Hertz is a Filter like others"},
	{"server/internal/down/...", "server/internal/up/...", transitive,
		"clients and Endpoints meet in an Exchange, whatever either speaks"},
	{"server/internal/up/...", "server/internal/down/...", transitive,
		"as above"},
	{"server/internal/down/...", "server", transitive,
		"a loop's part is made by the Server, and reaches it by nothing"},
	{"server/internal/up/...", "server", transitive,
		"as above"},
	{"server/internal/down/...", "server/internal/filter/...", transitive,
		"a side has its Exchange run the Filters"},
	{"server/internal/up/...", "server/internal/filter/...", transitive,
		"as above"},
	{"server/internal/filter/...", "server/internal/down/...", transitive,
		"Filters use the contract, which has no connection in it"},
	{"server/internal/filter/...", "server/internal/up/...", transitive,
		"as above"},
	{"server/internal/filter/...", "server/internal/wire/...", direct,
		"as above"},
	{"server/filter/...", "server/internal/down/...", direct,
		"as above"},
	{"server/filter/...", "server/internal/up/...", direct,
		"as above"},
	{"server/filter/...", "server/internal/exchange/...", direct,
		"Filters of objects use what package server exports, as those of other programs must"},
	{"server/filter/...", "server/internal/wire/...", direct,
		"as above"},
	{"server/internal/wire/...", "server/internal/exchange/...", transitive,
		"bytes know no request: the Exchange and its sides stand on them"},
	{"server/internal/fieldrule/...", "server/internal/h2/...", transitive,
		"which fields go on does not depend on how they came"},
	{"server/internal/fieldrule/...", "routing/...", shipped,
		"as above; nor on the Route"},
	{"server/internal/clientcert/...", "server/internal/loop/...", transitive,
		"a certificate is judged by its rules and the time, without a connection"},
	{"server/internal/outcome/...", "...", direct,
		"it is what every parser of hostile bytes answers with"},
	{"server/internal/message/...", "!std", direct,
		"the form that every codec agrees on knows none of them"},
	{"server/internal/h1/...", "server/internal/h2/...", transitive,
		"no codec knows its counterpart: what one reads, the other writes, through message"},
	{"server/internal/h2/...", "server/internal/h1/...", shipped,
		"as above"},
	{"server/internal/h2/...", "golang.org/x/net/...", shipped,
		"it is the second implementation, which the tests hold this one to"},
	{"server/internal/h2/...", "net", shipped,
		"the protocol state is fed bytes: testable and fuzzable without a socket"},
	{"server/internal/h2/...", "time", shipped,
		"the owner says what time it is"},
	{"server/internal/h1/...", "net", shipped,
		"a codec is a function over bytes: testable and fuzzable without a socket"},
	{"server/internal/h1/...", "os", shipped,
		"as above"},
	{"server/internal/h1/...", "net/http", shipped,
		"net/http canonicalises and repairs what the codec must refuse or hand on untouched"},
	{"server/internal/proxyproto/...", "!std", shipped,
		"a parser of hostile bytes is read and fuzzed alone, without a socket"},
	{"server/internal/proxyproto/...", "net", shipped,
		"as above"},
	{"server/internal/clienthello/...", "!std", shipped,
		"as above"},
	{"server/internal/clienthello/...", "net", shipped,
		"as above"},
	{"server/internal/clienthello/...", "crypto/...", shipped,
		"it reads what a client says and answers nothing; crypto/tls is what its tests hold it to"},
	{"server/internal/grpcweb/...", "!std", shipped,
		"a codec is a function over bytes: testable and fuzzable without a socket"},
	{"server/internal/grpcweb/...", "net", shipped,
		"as above"},
	{"server/internal/hpack/...", "!std", shipped,
		"a codec is a function over bytes: testable and fuzzable without a socket"},
	{"server/internal/hpack/...", "net", shipped,
		"as above"},
	{"server/internal/hpack/...", "os", shipped,
		"as above"},
	{"server/internal/servertest/...", "server", transitive,
		"the tests of package server are inside it and use servertest: what needs a Server stays with them"},
	{"...", "server/internal/servertest/...", shipped,
		"peers for tests, with package testing in them, have no place in the binary"},
	{"...", "github.com/cloudwego/hertz/pkg/protocol/http1/...", direct,
		"Hertz's HTTP/1 codec accepts smuggled requests; client bytes go through server/internal/h1"},
	{"...", "github.com/cloudwego/hertz/pkg/app/client/...", direct,
		"Hertz's client takes 103 as final and completes truncated bodies; use upstream"},
	{"...", "github.com/stretchr/testify/...", tests,
		"a table test and t.Errorf say more than an assertion library"},
	{"...", "github.com/onsi/...", tests,
		"as above"},
}

// edge forbids that a package matching from imports one matching to.
type edge struct {
	from, to string
	reach    reach
	reason   string
}

// reach is how far an edge looks. Imports of test files count as direct ones in every reach but shipped.
type reach int

const (
	direct     reach = iota // import statements
	transitive              // anything linked in
	tests                   // import statements; a name for rows that are about test files
	shipped                 // import statements of what is built into the binary: tests may hold it to a second implementation
)

// listed has the fields of `go list -json` that these tests read.
type listed struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
	Deps                               []string
	Error                              *struct{ Err string }
	DepsErrors                         []struct{ Err string }
}

func TestDependencies(t *testing.T) {
	packages := goList(t)
	seen := map[string]bool{}
	for _, p := range packages {
		for _, e := range forbidden {
			if !matches(e.from, p.ImportPath) {
				continue
			}
			seen[e.from] = true
			crossed := slices.DeleteFunc(p.reached(e.reach), func(to string) bool { return !e.forbids(p.ImportPath, to) })
			// One import of client-go brings fifty packages with it; the first few tell enough.
			for _, to := range crossed[:min(3, len(crossed))] {
				t.Errorf("%s imports %s: %s", p.ImportPath, to, e.reason)
			}
		}
	}
	for _, e := range forbidden {
		if !seen[e.from] {
			t.Errorf("the row %s -> %s is about no package: was one renamed?", e.from, e.to)
		}
	}
}

// TestForbids pins down what the patterns mean, so that a typing error in a row cannot make it void.
func TestForbids(t *testing.T) {
	rows := []struct {
		edge     string // from -> to
		from, to string
		want     bool
	}{
		{"routing/... -> !std", module + "/routing", "strings", false},
		{"routing/... -> !std", module + "/routing", "unsafe", false},
		{"routing/... -> !std", module + "/routing", "internal/cpu", false},
		{"routing/... -> !std", module + "/routing", module + "/routing/internal/oracle", false},
		{"routing/... -> !std", module + "/routing", module + "/server", true},
		{"routing/... -> !std", module + "/routing/internal/oracle", "golang.org/x/sys/unix", true},
		{"server/... -> k8s.io/...", module + "/server", "k8s.io/api/core/v1", true},
		{"server/... -> k8s.io/...", module + "/server/config", "sigs.k8s.io/yaml", false}, // another host
		{"server/... -> informer/...", module + "/server", module + "/informer", true},
		{"server/... -> informer/...", module + "/server", module + "/informers", false}, // whole segments
		{"... -> bench/...", module, module + "/bench", true},
		{"... -> bench/...", module + "/bench", module + "/bench/internal/x", false}, // itself
		{"bench/... -> " + module, module + "/bench", module, true},
		{"bench/... -> " + module, module + "/bench", module + "/server", false}, // the root alone
		{"server/internal/h1/... -> net", module + "/server/internal/h1", "net", true},
		{"server/internal/h1/... -> net", module + "/server/internal/h1", "net/netip", false},
		{"server/internal/h1/... -> net", module + "/server", "net", false},
	}
	for _, row := range rows {
		from, to, _ := strings.Cut(row.edge, " -> ")
		e := edge{from: from, to: to}
		got := matches(e.from, row.from) && e.forbids(row.from, row.to)
		if got != row.want {
			t.Errorf("%s: %s imports %s: forbidden = %v, want %v", row.edge, row.from, row.to, got, row.want)
		}
	}
}

// forbids reports whether the edge is about an import of to, by a package that matches e.from.
func (e edge) forbids(from, to string) bool {
	if e.to == "!std" {
		return from != module+"/routing/htpasswd" && from != module+"/routing/jwt" && !matches(e.from, to) && to != module+"/server/internal/outcome" && strings.Contains(firstSegment(to), ".")
	}
	return matches(e.to, to) && !matches(e.to, from)
}

// matches compares an import path with a pattern of forbidden.
func matches(pattern, path string) bool {
	if pattern == "..." {
		return path == module || strings.HasPrefix(path, module+"/")
	}
	pattern, below := strings.CutSuffix(pattern, "/...")
	switch firstSegment(pattern) {
	case "routing", "upstream", "server", "informer", "bench", "deploy":
		pattern = module + "/" + pattern
	}
	return path == pattern || below && strings.HasPrefix(path, pattern+"/")
}

// firstSegment returns an import path up to its first slash; only a host name has a dot in it.
func firstSegment(path string) string {
	first, _, _ := strings.Cut(path, "/")
	return first
}

// reached returns the packages that an edge of the given reach looks at.
func (p listed) reached(r reach) []string {
	if r == shipped {
		return p.Imports
	}
	paths := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
	if r == transitive {
		paths = append(paths, p.Deps...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// goList loads the packages of this module; nested modules are not among them.
func goList(t *testing.T) []listed {
	t.Helper()
	command := exec.Command("go", "list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports,Deps,Error,DepsErrors", "./...")
	out, err := command.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("decode go list: %v", err)
		}
		if p.Error != nil {
			t.Errorf("%s does not load: %s", p.ImportPath, p.Error.Err)
		}
		packages = append(packages, p)
	}
	return packages
}

// TestMainIsShort keeps the way in readable at a glance. The command is one call, so that a program which makes the
// same call lacks nothing of it; the example is to be copied, and short for that. What needs more lines is a function
// that a test can call.
func TestMainIsShort(t *testing.T) {
	for path, limit := range map[string]int{"main.go": 60, "deploy/sluice/main.go": 10, "deploy/example/main.go": 30} {
		if n := strings.Count(readFile(t, path), "\n"); n > limit {
			t.Errorf("%s has %d lines; the limit is %d", path, n, limit)
		}
	}
}
