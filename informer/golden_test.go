package informer

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/sluice-gateway/sluice/informer/internal/source"
	"github.com/sluice-gateway/sluice/routing"
)

var update = flag.Bool("update", false, "write the results of the golden tests into their files")

// TestGoldens runs testdata/*.txtar, one behaviour each. The comment of an archive is a script, one
// command a line, and its files are manifests and expected results:
//
//	cluster                     objects need a class, as in a cluster; first command if at all
//	controllers NAME...         what Config.Controllers is; default ours
//	apply FILE...               the objects of the files arrive, and one build sees them all
//	arrive FILE...              each object arrives alone, is built alone, and in reverse order too
//	delete FILE...              the objects of the files go, and one build sees it
//	resolve NAME PORT ADDR...   the Resolver finds the addresses
//	secrets NAMESPACE [REASON]  all certificates of the namespace have arrived, or cannot be read; of
//	                            NAMESPACE/NAME, one Secret
//	default NAMESPACE/NAME      what Config.DefaultCertificate is
//	node ADDR...                the node's own addresses are these
//	allow CIDR...               what Config.AllowedEndpoints is
//	no-external-names           Config.NoExternalNames
//	ownership POLICY            what Config.HostOwnership is
//	clock YEAR                  the date is the first of January of that year
//	later                       so much time passes that a class which was deleted counts no more
//	unchanged                   the last build had nothing to publish
//	show FILE                   the Snapshot and the Rejections are those of the file
//
// A value "@NAME" in a Secret stands for the file testdata/tls/NAME, "@NAME,NAME" for two in a row.
//
// show also compares with a build from scratch; at the end of a script every object goes, and
// nothing must be left.
func TestGoldens(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) < 25 {
		t.Fatalf("%d goldens, error %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newScript(t, archive)
			for n, line := range strings.Split(string(archive.Comment), "\n") {
				line, _, _ = strings.Cut(line, "#")
				if fields := strings.Fields(line); len(fields) > 0 {
					s.at = fmt.Sprintf("line %d: %s", n+1, line)
					s.run(fields[0], fields[1:])
				}
			}
			s.deleteToEmpty()
			if *update && s.changed {
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// script is the state of one golden.
type script struct {
	t       *testing.T
	at      string
	archive *txtar.Archive
	cfg     Config
	world   *world
	last    *routing.Snapshot // of the last build, nil when it published nothing
	changed bool
}

func newScript(t *testing.T, archive *txtar.Archive) *script {
	s := &script{t: t, archive: archive, cfg: Config{Manifests: "testdata"}}
	s.configure(func(*Config) {})
	return s
}

func (s *script) configure(f func(*Config)) {
	f(&s.cfg)
	cfg, err := s.cfg.withDefaults()
	if err != nil {
		s.t.Fatal(err)
	}
	s.world = newWorld(cfg)
}

func (s *script) run(command string, args []string) {
	s.t.Helper()
	switch command {
	case "cluster":
		s.configure(func(c *Config) { c.Manifests = "" })
	case "controllers":
		s.configure(func(c *Config) { c.Controllers = args })
	case "apply":
		s.last = s.world.step(s.events(args)...)
	case "arrive":
		events := s.events(args)
		for _, e := range events {
			s.last = s.world.step(e)
		}
		reversed := newWorld(s.world.b.cfg)
		reversed.b.now = s.world.b.now
		for _, e := range slices.Backward(events) {
			reversed.step(e)
		}
		s.equal("objects in reverse order", reversed.show(), s.world.show())
	case "delete":
		events := s.events(args)
		for i := range events {
			events[i].Object = nil
		}
		s.last = s.world.step(events...)
	case "resolve":
		var addrs []netip.AddrPort
		for _, a := range args[2:] {
			addrs = append(addrs, netip.MustParseAddrPort(a))
		}
		s.last = s.world.step(event(source.Addresses, routing.ObjectName{Namespace: args[1], Name: args[0]}, addrs))
	case "default":
		s.configure(func(c *Config) { c.DefaultCertificate = args[0] })
	case "node":
		var own []netip.Addr
		for _, a := range args {
			own = append(own, netip.MustParseAddr(a))
		}
		slices.SortFunc(own, netip.Addr.Compare)
		s.last = s.world.step(event(source.Node, routing.ObjectName{}, own))
	case "allow":
		s.configure(func(c *Config) {
			for _, a := range args {
				c.AllowedEndpoints = append(c.AllowedEndpoints, netip.MustParsePrefix(a))
			}
		})
	case "no-external-names":
		s.configure(func(c *Config) { c.NoExternalNames = true })
	case "ownership":
		s.configure(func(c *Config) { c.HostOwnership = args[0] })
	case "secrets":
		namespace, name, _ := strings.Cut(args[0], "/")
		s.last = s.world.step(event(source.Secrets, routing.ObjectName{Namespace: namespace, Name: name}, strings.Join(args[1:], " ")))
	case "clock":
		year, err := strconv.Atoi(args[0])
		if err != nil {
			s.t.Fatalf("%s: %v", s.at, err)
		}
		s.world.b.now = func() time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }
		s.last = s.world.step()
	case "later":
		s.world.later()
	case "unchanged":
		if s.last != nil {
			s.t.Errorf("%s: a Snapshot was built", s.at)
		}
	case "show":
		s.show(args[0])
	default:
		s.t.Fatalf("%s: no such command", s.at)
	}
}

func (s *script) events(names []string) (events []source.Event) {
	s.t.Helper()
	for _, name := range names {
		decoded, _, err := source.Decode(s.file(name).Data)
		if err != nil {
			s.t.Fatalf("%s: %v", s.at, err)
		}
		for _, e := range decoded {
			if secret, ok := e.Object.(*corev1.Secret); ok {
				s.fill(secret)
			}
		}
		events = append(events, decoded...)
	}
	return events
}

// fill replaces "@NAME" by a file.
func (s *script) fill(secret *corev1.Secret) {
	s.t.Helper()
	for key, value := range secret.Data {
		if names, ok := strings.CutPrefix(string(value), "@"); ok {
			secret.Data[key] = nil
			for name := range strings.SplitSeq(names, ",") {
				secret.Data[key] = append(secret.Data[key], testPEM(s.t, name)...)
			}
		}
	}
}

// testPEM reads a certificate or key that was made for tests, and is good for nothing else.
func testPEM(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "tls", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *script) file(name string) *txtar.File {
	s.t.Helper()
	i := slices.IndexFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == name })
	if i < 0 {
		if !*update {
			s.t.Fatalf("%s: no file %s", s.at, name)
		}
		i = len(s.archive.Files)
		s.archive.Files = append(s.archive.Files, txtar.File{Name: name})
	}
	return &s.archive.Files[i]
}

func (s *script) show(name string) {
	s.t.Helper()
	got := s.world.show()
	s.equal("a build from scratch", s.world.fresh().show(), got)
	want := s.file(name)
	if *update && string(want.Data) != got {
		want.Data, s.changed = []byte(got), true
	}
	s.equal("show", got, string(want.Data))
}

func (s *script) equal(what, got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %s gives\n%s\nwant\n%s", s.at, what, got, want)
	}
}

func (s *script) deleteToEmpty() {
	s.t.Helper()
	s.at = "at the end"
	for _, key := range slices.SortedFunc(maps.Keys(s.world.objects), func(a, b source.Key) int {
		return strings.Compare(a.String(), b.String())
	}) {
		s.world.step(source.Event{Key: key})
	}
	s.world.later()
	empty := s.world.show()
	if s.cfg.DefaultCertificate != "" && strings.HasPrefix(empty, "reject Secret "+s.cfg.DefaultCertificate+": ") {
		_, empty, _ = strings.Cut(empty, "\n")
	}
	s.equal("delete to empty", empty, "")
	if left := s.world.leftovers(); left != "" {
		s.t.Errorf("delete to empty leaves %s", left)
	}
}

// world is a builder with all that it was told, so that a fresh one can be told the same.
type world struct {
	b        *builder
	objects  map[source.Key]any
	snapshot *routing.Snapshot
}

// event is one of an object of a Snapshot.
func event(kind source.Kind, name routing.ObjectName, object any) source.Event {
	return source.Event{Key: keyOf(kind, name), Object: object}
}

func keyOf(kind source.Kind, name routing.ObjectName) source.Key {
	return source.Key{Kind: kind, NamespacedName: types.NamespacedName(name)}
}

func newWorld(cfg Config) *world {
	w := &world{b: newBuilder(cfg, nil), objects: make(map[source.Key]any)}
	w.b.now = func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }
	return w
}

// unwanted reports whether a source would not give an event, because nothing that is built needs it.
func (w *world) unwanted(key source.Key, object any) bool {
	switch key.Kind {
	case source.Addresses:
		return w.b.backends.externals[externalOf(key)] == nil
	case source.Secret:
		object, _ := object.(*corev1.Secret)
		return !w.b.secrets.Takes(routing.ObjectName(key.NamespacedName), object)
	case source.Secrets:
		_, wanted := w.b.watchesWanted()[source.SecretsKey(key.NamespacedName)]
		return !wanted
	}
	return false
}

// step applies events and builds; the result is nil when there was nothing to publish.
func (w *world) step(events ...source.Event) *routing.Snapshot {
	for _, e := range events {
		if w.unwanted(e.Key, e.Object) {
			continue
		}
		if e.Object == nil {
			delete(w.objects, e.Key)
		} else {
			w.objects[e.Key] = e.Object
		}
		w.b.apply(e.Key, e.Object)
	}
	next := w.b.build()
	if next != nil {
		w.snapshot = next
	}
	// Addresses of a name that no Backend uses are forgotten, and Secrets that no Ingress uses; they
	// would be read anew.
	maps.DeleteFunc(w.objects, w.unwanted)
	return next
}

// fresh is a world that learns all objects at once. Secrets are read once Ingresses use them, and names
// resolved once Backends do, so those events come in later steps, as they do in life. Of a Secret that
// is broken and has a live Certificate the good state comes before.
func (w *world) fresh() *world {
	f := newWorld(w.b.cfg)
	f.b.now = w.b.now
	var objects, namespaces, secrets, addresses, gone []source.Event
	for name := range w.b.classes.leaving {
		key := keyOf(source.Class, routing.ObjectName{Name: name})
		objects, gone = append(objects, source.Event{Key: key, Object: w.b.classes.byName[name]}), append(gone, source.Event{Key: key})
	}
	for key, object := range w.objects {
		switch {
		case key.Kind == source.Secrets && key.Name == source.CertificateSecrets:
			namespaces = append(namespaces, source.Event{Key: key, Object: object})
		case key.Kind == source.Secret || key.Kind == source.Secrets:
			secrets = append(secrets, source.Event{Key: key, Object: object})
		case key.Kind == source.Addresses:
			addresses = append(addresses, source.Event{Key: key, Object: object})
		default:
			objects = append(objects, source.Event{Key: key, Object: object})
		}
	}
	f.step(objects...)
	f.step(gone...)
	f.step(w.good()...)
	// Secrets are asked for one by one once it is known that all cannot be read.
	f.step(namespaces...)
	f.step(secrets...)
	f.step(addresses...)
	return f
}

// later passes the time that a class which was deleted still counts.
func (w *world) later() {
	now := w.b.now()
	w.b.now = func() time.Time { return now.Add(classGrace) }
	w.step()
}

// good are the Secrets whose last good Certificates are live.
func (w *world) good() (events []source.Event) {
	if w.snapshot == nil {
		return nil
	}
	names := map[routing.ObjectName]struct{}{w.b.cfg.defaultName(): {}}
	for _, c := range w.snapshot.Certificates {
		names[c.Secret] = struct{}{}
	}
	for name := range names {
		if object := w.b.secrets.Served(name); object != nil {
			events = append(events, event(source.Secret, name, object))
		}
	}
	return events
}

// show gives the Dump and the Rejections.
func (w *world) show() string {
	var out bytes.Buffer
	if err := w.snapshot.Dump(&out); err != nil {
		panic("BUG: " + err.Error())
	}
	for _, r := range w.b.rejected.all() {
		fmt.Fprintf(&out, "reject %s\n", r)
	}
	return out.String()
}

// leftovers names what an empty builder must not hold.
func (w *world) leftovers() string {
	b, s := w.b, &w.b.backends
	held := b.secrets.Held()
	for name, n := range map[string]int{
		"entries": len(b.entries), "Hosts": len(b.hosts.byName), "users of Services": len(b.services),
		"fallbacks": len(b.hosts.fallbacks), "classless": len(b.classless), "classes that leave": len(b.classes.leaving),
		"outsiders": len(b.outsiders.byName), "hosts of outsiders": len(b.outsiders.byHost),
		"ingresses": len(b.cache.ingresses), "classes": len(b.classes.byName), "services": len(b.cache.services),
		"slices": len(s.slices.byName), "slices by Service": len(s.slices.of),
		"names below wildcards": len(b.hosts.below),
		"dirty":                 len(b.dirty.ingresses) + len(b.dirty.hosts),
		"backends":              len(s.byKey), "backends by Service": len(s.byService),
		"externals": len(s.externals), "resolved": len(s.resolved), "stale": len(s.stale), "stale ports": len(s.portsStale), "released": len(s.released),
		"slots in use": len(s.list) - len(s.free),
		"canaries":     len(b.hosts.canaries.byHost), "finds": len(b.hosts.canaries.finds) + len(b.hosts.canaries.found), "loans": len(b.loans) + len(b.lending),
	} {
		held[name] = n
	}
	for name, n := range held {
		if n != 0 {
			return fmt.Sprintf("%d %s", n, name)
		}
	}
	return ""
}
