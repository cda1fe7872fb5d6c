package sluice

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluice-gateway/sluice/server/config"
)

// ingressOf is an Ingress of one host.
func ingressOf(name, class, host, service string) string {
	return fmt.Sprintf(`---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: %s}
spec:
  ingressClassName: %s
  rules:
  - host: %s
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: %s, port: {number: 80}}}}
`, name, class, host, service)
}

const classes = `---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: nginx}
spec: {controller: k8s.io/ingress-nginx}
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: traefik}
spec: {controller: traefik.io/ingress-controller}
`

const webService = `---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
`

// sluice runs a command line and returns its exit code and output.
func sluice(args ...string) (code int, out string) {
	var text, log strings.Builder
	code = Options{}.run(args, &text, &log)
	return code, text.String() + log.String()
}

// TestCheckSaysWhatIsLeftOut: an object that is not served because its kind is not read, or because it
// is another controller's, is shown with its place, and is no reason to fail.
func TestCheckSaysWhatIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "all.yaml")
	var deployments strings.Builder
	for i := range 8 {
		fmt.Fprintf(&deployments, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d%d}\n", i)
	}
	writeFile(t, file, classes+webService+
		ingressOf("a", "nginx", "a.test", "web")+ingressOf("b", "nginx", "b.test", "web")+ingressOf("c", "traefik", "c.test", "web")+
		"---\napiVersion: networking.k8s.io/v1\nkind: Ingres\nmetadata: {name: x, namespace: shop}\n"+
		"---\napiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Endpoints, metadata: {name: web}}]\n"+
		"---\napiVersion: networking.k8s.io/v2\nkind: Ingress\nmetadata: {name: later}\n"+
		"---\napiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: z}\n"+
		deployments.String())
	for i := range 22 {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("WEB%02d.YAML", i)), webService)
	}
	ignored := ""
	for i := range 20 {
		ignored += fmt.Sprintf("        DIR/WEB%02d.YAML\n", i)
	}
	want := `Not read, because of their kinds:
     8  apps/v1 Deployment
        FILE: document 11: apps/v1 Deployment d0
        FILE: document 12: apps/v1 Deployment d1
        FILE: document 13: apps/v1 Deployment d2
        FILE: document 14: apps/v1 Deployment d3
        FILE: document 15: apps/v1 Deployment d4
        and 3 more; -o json lists all
     1  v1 Endpoints
        FILE: document 8, items[0]: v1 Endpoints web; write an EndpointSlice instead; nothing makes one of Endpoints here
     1  networking.k8s.io/v1 Ingres
        FILE: document 7: networking.k8s.io/v1 Ingres shop/x; did you mean Ingress?
     1  networking.k8s.io/v2 Ingress
        FILE: document 9: networking.k8s.io/v2 Ingress later; did you mean apiVersion networking.k8s.io/v1?
     1  serving.knative.dev/v1 Service
        FILE: document 10: serving.knative.dev/v1 Service z

Not read, because they are not named *.yaml, *.yml or *.json:
` + ignored + `        and 2 more

Ingresses of other classes:
     2  nginx
     1  traefik

0 hosts, 0 routes, 0 backends and 0 endpoints would be served; 0 rejections.
`
	code, out := sluice("check", "--manifests", dir)
	if out = strings.NewReplacer(file, "FILE", dir, "DIR").Replace(out); code != 0 || out != want {
		t.Errorf("exit %d\n%s\nwant\n%s", code, out, want)
	}
	code, out = sluice("check", "--manifests", dir, "-o", "json")
	var r report
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != 0 {
		t.Fatalf("exit %d, error %v\n%s", code, err, out)
	}
	if len(r.Skipped) != 12 || r.Skipped[0].Object.Kind != "Ingres" || r.Skipped[0].File != file || len(r.OtherClasses) != 2 || len(r.IgnoredFiles) != 20 || r.MoreIgnored != 2 {
		t.Errorf("%+v", r)
	}
}

// TestCheckReadsConfiguration: classes that the gateway takes over are seen as it sees them.
func TestCheckReadsConfiguration(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "sluice.yaml")
	writeFile(t, filepath.Join(dir, "all.yaml"), classes+webService+ingressOf("a", "nginx", "a.test", "web"))
	writeFile(t, file, "kubernetes: {controllers: [sluice-gateway.io/ingress, k8s.io/ingress-nginx]}\n")
	rows := []struct {
		line string
		code int
		out  string
	}{
		{"check --manifests DIR", 0, "0 hosts, 0 routes"},
		{"check --manifests DIR --config FILE", 0, "1 host, 1 route"},
		{"check --manifests DIR -c FILE --set kubernetes.watch_namespaces=other", 0, "0 hosts, 0 routes"},
		{"check --manifests DIR --config FILE --class traefik", 0, "1 host, 1 route"},
		{"check --manifests DIR --config /nonexistent", 1, "read configuration"},
		{"check --manifests DIR --set threads=x", 1, "threads"},
		{"explain --manifests DIR http://a.test/", 1, "note     Ingress default/a has a.test too; it is of class nginx, which is not this gateway's\n"},
		{"explain --manifests DIR http://b.test/", 1, "404"},
		{"explain --manifests DIR --config FILE http://a.test/", 1, "answer   503, no endpoint is ready"},
		{"explain --manifests DIR --config FILE --set no.key=1 http://a.test/", 1, "no.key: unknown key"},
	}
	for _, row := range rows {
		line := strings.NewReplacer("DIR", dir, "FILE", file).Replace(row.line)
		if code, out := sluice(strings.Fields(line)...); code != row.code || !strings.Contains(out, row.out) {
			t.Errorf("%s: exit %d, want %d with %q\n%s", row.line, code, row.code, row.out, out)
		}
	}
}

// TestCheckCountsByField: the same mistake at many places is one line of the summary.
func TestCheckCountsByField(t *testing.T) {
	dir := t.TempDir()
	text := classes + "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: many}\nspec:\n  rules:\n"
	for i := range 12 {
		text += fmt.Sprintf("  - {host: h%d.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: none, port: {number: 80}}}}]}}\n", i)
	}
	writeFile(t, filepath.Join(dir, "all.yaml"), text)
	code, out := sluice("check", "--manifests", dir)
	if code != 1 || !strings.Contains(out, "\nBy field:\n    12  Ingress spec.rules[].http.paths[].backend.service.name\n\n") {
		t.Errorf("exit %d\n%s", code, out)
	}
}

// TestExplainAgrees: where a gateway answers itself, explain reports it, by its exit code too, and names
// the other controllers' Ingresses of the host.
func TestExplainAgrees(t *testing.T) {
	r := startGateway(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "backend") }), "")
	var slice strings.Builder
	slice.WriteString("---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: big, labels: {kubernetes.io/service-name: big}}\naddressType: IPv4\nports: [{port: 80}]\nendpoints:\n")
	for i := range 5000 {
		fmt.Fprintf(&slice, "- {addresses: [127.1.%d.%d]}\n", i/200, i%200+1)
	}
	writeFile(t, filepath.Join(r.dir, "manifests", "more.yaml"), webService+strings.Replace(webService, "web", "big", 1)+slice.String()+
		"---\napiVersion: v1\nkind: Service\nmetadata: {name: outside}\nspec: {type: ExternalName, externalName: nothing.invalid, ports: [{port: 80}]}\n"+
		classes+ingressOf("idle", "sluice", "idle.test", "web")+ingressOf("outside", "sluice", "outside.test", "outside")+
		ingressOf("missing", "sluice", "missing.test", "missing")+ingressOf("theirs", "traefik", "theirs.test", "web")+
		ingressOf("big", "sluice", "big.test", "big")+ingressOf("their-wildcard", "traefik", `"*.test"`, "web"))
	eventually(t, "the new hosts", func() bool {
		code, _ := sluice("explain", "-c", filepath.Join(r.dir, "sluice.yaml"), "http://idle.test/")
		status, _ := get(t, r, "idle.test")
		return code == 1 && status == 503
	})
	rows := []struct {
		host   string
		status int
		out    string
	}{
		{"test.com/api/v1", 0, "ingress  default/echo"},
		{"idle.test", 503, "answer   503, no endpoint is ready"},
		{"outside.test", 503, "answer   503, the name has no address, or is not resolved yet"},
		{"missing.test", 503, "answer   503, the Service of this path does not exist or was refused"},
		{"theirs.test", 404, "note     Ingress default/theirs has theirs.test too; it is of class traefik, which is not this gateway's\nnote     Ingress default/their-wildcard has *.test too;"},
	}
	for _, row := range rows {
		code, out := sluice("explain", "-c", filepath.Join(r.dir, "sluice.yaml"), "http://"+row.host)
		if (code != 0) != (row.status != 0) || !strings.Contains(out, row.out) {
			t.Errorf("%s: exit %d, want %q\n%s", row.host, code, row.out, out)
		}
		host, path, _ := strings.Cut(row.host, "/")
		if status, body := get(t, r, host, path); status != row.status && row.status != 0 || row.status == 0 && body != "backend" {
			t.Errorf("%s: the gateway answers %d %s, want %d", row.host, status, body, row.status)
		}
	}
	code, out := sluice("explain", "-c", filepath.Join(r.dir, "sluice.yaml"), "http://big.test/")
	if code != 0 || strings.Count(out, "*   endpoint ") != 10 || !strings.Contains(out, "and 4990 more endpoints; --all lists them\n") {
		t.Errorf("5,000 Endpoints: exit %d\n%.2000s", code, out)
	}
	if code, out := sluice("explain", "--all", "-c", filepath.Join(r.dir, "sluice.yaml"), "http://big.test/"); code != 0 || strings.Count(out, "*   endpoint ") != 5000 {
		t.Errorf("all of 5,000 Endpoints: exit %d\n%.2000s", code, out)
	}
	r.stop(t)
}

// get asks the gateway for a host.
func get(t *testing.T, r *running, host string, path ...string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequest("GET", "http://"+r.http+"/"+strings.Join(path, "/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	return r.do(request)
}

// TestPlaneFollows: a gateway is asked at the address in its configuration, unless a flag names another.
func TestPlaneFollows(t *testing.T) {
	standard := config.Default().Listen
	for _, row := range []struct {
		flags plane
		sets  string
		want  plane
	}{
		{plane{standard.AdminSocket, standard.AdminTokenFile}, "", plane{standard.AdminSocket, standard.AdminTokenFile}},
		{plane{standard.AdminSocket, standard.AdminTokenFile}, "listen.admin_socket=/run/a.sock listen.admin_token_file=/run/a.token", plane{"/run/a.sock", "/run/a.token"}},
		{plane{standard.AdminSocket, standard.AdminTokenFile}, "listen.admin_socket= listen.admin=127.0.0.1:1", plane{"127.0.0.1:1", standard.AdminTokenFile}},
		{plane{"127.0.0.1:2", "/run/b.token"}, "listen.admin_socket=/run/a.sock listen.admin_token_file=/run/a.token", plane{"127.0.0.1:2", "/run/b.token"}},
	} {
		c := config.Default()
		for set := range strings.FieldsSeq(row.sets) {
			if err := c.Set(set); err != nil {
				t.Fatal(err)
			}
		}
		if row.flags.follow(c); row.flags != row.want {
			t.Errorf("%s: %v, want %v", row.sets, row.flags, row.want)
		}
	}
}
