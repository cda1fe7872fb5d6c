package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
)

// rights is every right that the gateway has in a cluster, with the calls in the informer's source
// that need it. A right without a call is one too many; a call without a right fails in a cluster
// only, where no unit test sees it.
var rights = []right{
	{"networking.k8s.io", "ingresses", reading, "NetworkingV1", "Ingresses"},
	{"networking.k8s.io", "ingressclasses", reading, "NetworkingV1", "IngressClasses"},
	{"", "services", reading, "CoreV1", "Services"},
	{"discovery.k8s.io", "endpointslices", reading, "DiscoveryV1", "EndpointSlices"},
	{"", "secrets", reading, "CoreV1", "Secrets"},
	{"", "configmaps", reading, "CoreV1", "ConfigMaps"},
	{"networking.k8s.io", "ingresses/status", []string{"patch", "update"}, "NetworkingV1", "Ingresses/status"},
	{"events.k8s.io", "events", []string{"create", "patch"}, "EventsV1", "Events"},
}

// reading is the verbs of an informer, list and watch, and get with them: the right to list an
// object is the right to read it whole, so leaving get out protects nothing and only surprises.
var reading = []string{"get", "list", "watch"}

// right is verbs on one resource, and the client-go calls that use it.
type right struct {
	group, resource string
	verbs           []string
	client, call    string
}

// TestRulesAreTheRights compares the ClusterRoles with the table.
func TestRulesAreTheRights(t *testing.T) {
	granted := map[string][]string{}
	for _, role := range findAll[*rbacv1.ClusterRole](t) {
		for _, rule := range role.Rules {
			if len(rule.NonResourceURLs) > 0 || len(rule.ResourceNames) > 0 {
				t.Errorf("ClusterRole %s: a rule that is not about groups and resources", role.Name)
			}
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					key := group + "/" + resource
					granted[key] = append(granted[key], rule.Verbs...)
				}
			}
		}
	}
	for _, r := range rights {
		key := r.group + "/" + r.resource
		verbs := granted[key]
		slices.Sort(verbs)
		if !slices.Equal(verbs, r.verbs) {
			t.Errorf("%s: verbs %v granted, want %v", key, verbs, r.verbs)
		}
		delete(granted, key)
	}
	for key, verbs := range granted {
		t.Errorf("%s: verbs %v granted, but no right is in the table", key, verbs)
	}
}

// TestSecretsAreARoleOfTheirOwn: an administrator narrows this right by leaving one binding out.
func TestSecretsAreARoleOfTheirOwn(t *testing.T) {
	for _, role := range findAll[*rbacv1.ClusterRole](t) {
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, "secrets") && (len(role.Rules) != 1 || len(rule.Resources) != 1) {
				t.Errorf("ClusterRole %s mixes Secrets with other rights", role.Name)
			}
		}
	}
}

// TestSecretsAreNotBoundClusterWide: the base lets the gateway read Secrets and ConfigMaps of its own namespace, and the
// component for the whole cluster is a choice; both bind the role that there is, to the account that runs.
func TestSecretsAreNotBoundClusterWide(t *testing.T) {
	const role = "sluice-secrets"
	account := rbacv1.Subject{Kind: "ServiceAccount", Name: "sluice", Namespace: "sluice-system"}
	reads := map[string]bool{} // the ClusterRoles that reach Secrets or ConfigMaps
	for _, r := range findAll[*rbacv1.ClusterRole](t) {
		for _, rule := range r.Rules {
			reads[r.Name] = reads[r.Name] || slices.Contains(rule.Resources, "secrets") ||
				slices.Contains(rule.Resources, "configmaps") || slices.Contains(rule.Resources, "*")
		}
	}
	if !reads[role] {
		t.Errorf("there is no ClusterRole %s", role)
	}
	for _, b := range findAll[*rbacv1.ClusterRoleBinding](t) {
		if reads[b.RoleRef.Name] {
			t.Errorf("ClusterRoleBinding %s of the base reads the Secrets or ConfigMaps of every namespace", b.Name)
		}
	}
	for _, b := range findAll[*rbacv1.RoleBinding](t) {
		if b.Namespace != account.Namespace || b.RoleRef.Name != role && b.RoleRef.Name != "sluice-configmaps" || !slices.Equal(b.Subjects, []rbacv1.Subject{account}) {
			t.Errorf("RoleBinding %s/%s binds %s to %v", b.Namespace, b.Name, b.RoleRef.Name, b.Subjects)
		}
	}
	chosen, err := parseObjects(read(t, "components/secrets-cluster-wide/clusterrolebinding.yaml"))
	if err != nil || len(chosen) != 1 {
		t.Fatalf("the component has %d objects, error %v", len(chosen), err)
	}
	b, ok := chosen[0].(*rbacv1.ClusterRoleBinding)
	if !ok || b.RoleRef.Kind != "ClusterRole" || b.RoleRef.Name != role || !slices.Equal(b.Subjects, []rbacv1.Subject{account}) {
		t.Errorf("the component has %v", chosen[0])
	}
}

// TestRejectionNamesTheRole: the command that a Rejection has for a missing right, and that clusterrole.yaml and
// the README have too, names the role and the account that are installed.
func TestRejectionNamesTheRole(t *testing.T) {
	const command = "create rolebinding sluice-secrets --clusterrole=sluice-secrets --serviceaccount=sluice-system:sluice"
	for _, name := range []string{"../informer/internal/source/secrets.go", "base/clusterrole.yaml", "../README.md"} {
		if !strings.Contains(string(read(t, name)), command) {
			t.Errorf("%s lacks %q", name, command)
		}
	}
}

// TestRejectionNamesTheConfigMap: the commands for a ConfigMap, in the Rejection and in clusterrole.yaml, are the same and are for
// that ConfigMap alone.
func TestRejectionNamesTheConfigMap(t *testing.T) {
	for _, command := range []string{
		"create role sluice-configmap --verb=get,list,watch --resource=configmaps --resource-name=",
		"create rolebinding sluice-configmap --role=sluice-configmap --serviceaccount=sluice-system:sluice",
	} {
		for _, name := range []string{"../informer/internal/source/configmaps.go", "base/clusterrole.yaml", "../README.md"} {
			if !strings.Contains(string(read(t, name)), command) {
				t.Errorf("%s lacks %q", name, command)
			}
		}
	}
}

// TestRightsAreTheCalls compares the table with the informer's source, both ways.
func TestRightsAreTheCalls(t *testing.T) {
	calls := map[string]string{}
	err := filepath.WalkDir("../informer", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, call := range apiCalls(file) {
			calls[call] = path
		}
		return nil
	})
	if err != nil {
		t.Fatalf("read informer's source: %v", err)
	}
	for _, r := range rights {
		key := r.client + "." + r.call
		if _, ok := calls[key]; !ok {
			t.Errorf("%s %v: nothing in informer calls %s", r.resource, r.verbs, key)
		}
		delete(calls, key)
	}
	for call, path := range calls {
		t.Errorf("%s calls %s, for which no right is in the table", path, call)
	}
}

// apiGroups are client-go's names of the groups that may be in use, on a factory (Core().V1()) and
// on a clientset (CoreV1()).
var apiGroups = []string{"Apps", "Coordination", "Core", "Discovery", "Events", "Networking"}

// apiCalls finds the API resources that a file's calls reach, as "CoreV1.Services". A call that
// writes a status counts as "NetworkingV1.Ingresses/status" and not as a read.
func apiCalls(file *ast.File) []string {
	var found []string
	status := map[ast.Node]bool{} // resource calls that a status write is made on
	ast.Inspect(file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if writesStatus(selector.Sel.Name, call.Args) {
			status[selector.X] = true
		}
		if group := groupOf(selector.X); group != "" {
			name := group + "V1." + selector.Sel.Name
			if status[call] {
				name += "/status"
			}
			found = append(found, name)
		}
		// The events client is built from a clientset's EventsV1 as a whole, not from a resource of it.
		for _, arg := range call.Args {
			if group := groupOf(arg); group == "Events" {
				found = append(found, "EventsV1.Events")
			}
		}
		return true
	})
	ast.Inspect(file, func(n ast.Node) bool {
		if pair, ok := n.(*ast.KeyValueExpr); ok && groupOf(pair.Value) == "Events" {
			found = append(found, "EventsV1.Events")
		}
		// events.NewBroadcaster's adapter takes the whole clientset.
		if selector, ok := n.(*ast.SelectorExpr); ok && selector.Sel.Name == "NewEventBroadcasterAdapter" {
			found = append(found, "EventsV1.Events")
		}
		return true
	})
	return found
}

// writesStatus recognises UpdateStatus, ApplyStatus, and Patch with the subresource "status".
func writesStatus(method string, args []ast.Expr) bool {
	switch method {
	case "UpdateStatus", "ApplyStatus":
		return true
	case "Patch":
		return len(args) > 0 && isString(args[len(args)-1], "status")
	}
	return false
}

func isString(e ast.Expr, want string) bool {
	literal, ok := e.(*ast.BasicLit)
	return ok && literal.Kind == token.STRING && strings.Trim(literal.Value, "`\"") == want
}

// groupOf returns the API group that an expression is the client of: of x.Core().V1() and of
// x.CoreV1() it is Core.
func groupOf(e ast.Expr) string {
	name, on := method(e)
	if name == "V1" {
		name, _ = method(on)
		name += "V1"
	}
	group, ok := strings.CutSuffix(name, "V1")
	if ok && slices.Contains(apiGroups, group) {
		return group
	}
	return ""
}

// method returns the name of a method call without arguments, and its receiver.
func method(e ast.Expr) (name string, on ast.Expr) {
	call, ok := e.(*ast.CallExpr)
	if !ok || len(call.Args) > 0 {
		return "", nil
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", nil
	}
	return selector.Sel.Name, selector.X
}

func TestAPICalls(t *testing.T) {
	rows := []struct{ code, want string }{
		{`f.Networking().V1().Ingresses().Informer()`, "NetworkingV1.Ingresses"},
		{`c.CoreV1().Services(ns).List(ctx, o)`, "CoreV1.Services"},
		{`c.NetworkingV1().Ingresses(ns).UpdateStatus(ctx, i, o)`, "NetworkingV1.Ingresses/status"},
		{`c.NetworkingV1().Ingresses(ns).Patch(ctx, n, p, d, o, "status")`, "NetworkingV1.Ingresses/status"},
		{`c.NetworkingV1().Ingresses(ns).Patch(ctx, n, p, d, o)`, "NetworkingV1.Ingresses"},
		{`_ = &events.EventSinkImpl{Interface: c.EventsV1()}`, "EventsV1.Events"},
		{`events.NewEventBroadcasterAdapter(c)`, "EventsV1.Events"},
		{`x.Other().V1().Things()`, ""},
	}
	for _, row := range rows {
		file, err := parser.ParseFile(token.NewFileSet(), "a.go", "package a; func f() { "+row.code+" }", 0)
		if err != nil {
			t.Fatalf("%s: %v", row.code, err)
		}
		if got := strings.Join(apiCalls(file), " "); got != row.want {
			t.Errorf("%s: %q, want %q", row.code, got, row.want)
		}
	}
}
