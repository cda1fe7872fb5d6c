package acceptance

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// hostileHosts serves what hostile clients ask for beside a.test: deaf.test, whose Endpoint speaks h2c and takes
// nothing, and shown.test, where any client certificate will do and is passed on.
func (g *gateway) hostileHosts(deaf string) {
	g.t.Helper()
	certificate, key := g.pair(7, "shown.test")
	g.write("hosts.yaml", fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: deaf, namespace: default, annotations: {sluice-gateway.io/backend-protocol: H2C, sluice-gateway.io/proxy-body-size: "0"}}
spec:
  ingressClassName: sluice
  rules: [{host: deaf.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: deaf, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: Service
metadata: {name: deaf, namespace: default}
spec: {ports: [{name: http, port: 80, targetPort: 8080}]}
---
%s---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: shown
  namespace: default
  annotations:
    sluice-gateway.io/auth-tls-secret: default/authority
    sluice-gateway.io/auth-tls-verify-client: optional_no_ca
    sluice-gateway.io/auth-tls-pass-certificate-to-upstream: "true"
spec:
  ingressClassName: sluice
  tls: [{hosts: [shown.test], secretName: shown-test}]
  rules: [{host: shown.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}]}}]
---
apiVersion: v1
kind: Secret
metadata: {name: authority, namespace: default}
data: {ca.crt: %s}
---
%s`, strings.Replace(sliceYAML("deaf", deaf), "---\n", "", 1), base64.StdEncoding.EncodeToString(certificate), secretYAML("shown-test", certificate, key)))
}

func sliceYAML(service, endpoint string) string {
	host, port, _ := net.SplitHostPort(endpoint)
	return fmt.Sprintf(`---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: %[1]s-1, namespace: default, labels: {kubernetes.io/service-name: %[1]s}}
addressType: IPv4
ports: [{name: http, port: %[2]s, protocol: TCP}]
endpoints: [{addresses: [%[3]q], conditions: {ready: true}}]
`, service, port, host)
}

// attackerIngress is an Ingress of namespace attacker: name, annotations, tls, host, path, Service and port.
const attackerIngress = `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: %s
  namespace: attacker
  creationTimestamp: "2026-01-01T00:00:00Z"
  annotations: {%s}
spec:
  ingressClassName: sluice
%s  rules: [{host: %s, http: {paths: [{path: %s, pathType: Prefix, backend: {service: {name: %s, port: {number: %s}}}}]}}]
`

// hostileTenant writes what namespace attacker does to others, and goes on to change it until the function that
// it returns is called.
func (g *gateway) hostileTenant() (stop func()) {
	g.t.Helper()
	_, port, _ := net.SplitHostPort(g.metrics)
	certificate, key := g.pair(666, "a.test")
	authority := base64.StdEncoding.EncodeToString(certificate)
	files := map[string]string{
		"a-secret.yaml":    strings.ReplaceAll(secretYAML("stolen", certificate, key), "namespace: default", "namespace: attacker"),
		"a-authority.yaml": fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: authority, namespace: attacker}\ndata: {ca.crt: %s}\n", authority),
		// The node's own ports, by a name.
		"a-external.yaml": fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: node, namespace: attacker}\nspec: {type: ExternalName, externalName: 127.0.0.1, ports: [{port: %s}]}\n", port),
		"a-node.yaml":     fmt.Sprintf(attackerIngress, "node", "sluice-gateway.io/upstream-vhost: localhost", "", "node.test", "/", "node", port),
		"a-metadata.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: metadata, namespace: attacker}\nspec: {type: ExternalName, externalName: 169.254.169.254, ports: [{port: 80}]}\n",
		"a-meta.yaml":     fmt.Sprintf(attackerIngress, "metadata", "", "", "metadata.test", "/", "metadata", "80"),
		// Another tenant's host.
		"a-unknown.yaml": fmt.Sprintf(attackerIngress, "unknown", `sluice-gateway.io/auth-tls-foo: "1"`, "", "a.test", "/zzz", "none", "80"),
		"a-page.yaml": fmt.Sprintf(attackerIngress, "page",
			`sluice-gateway.io/auth-tls-secret: attacker/authority, sluice-gateway.io/auth-tls-error-page: "https://attacker.test/"`, "", "a.test", "/zzy", "none", "80"),
		"a-claim.yaml": "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: claim, namespace: attacker, creationTimestamp: \"2026-01-01T00:00:00Z\"}\n" +
			"spec:\n  ingressClassName: sluice\n  tls: [{hosts: [a.test], secretName: stolen}]\n",
		"a-ciphers.yaml": fmt.Sprintf(attackerIngress, "ciphers", "sluice-gateway.io/ssl-ciphers: AES128-SHA", "", "a.test", "/zzx", "none", "80"),
		// A Secret whose chain is broken behind its leaf.
		"a-broken.yaml": strings.ReplaceAll(secretYAML("broken", append(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("none")})...), key), "namespace: default", "namespace: attacker"),
		// One document, and what is none behind it.
		"a-garbage.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x, namespace: attacker}\n...\n}}} garbage\n",
		"a-empty.yaml":   "",
	}
	for n := range 10 {
		files[fmt.Sprintf("a-match-%d.yaml", n)] = fmt.Sprintf(attackerIngress, fmt.Sprintf("match-%d", n), fmt.Sprintf(
			`sluice-gateway.io/auth-tls-secret: attacker/authority, sluice-gateway.io/auth-tls-match-cn: "CN=%s"`, strings.Repeat("a{1000}", 3000)),
			"", fmt.Sprintf("match-%d.test", n), "/", "none", "80")
	}
	for n := range 2 {
		var hosts strings.Builder
		for i := range 8000 {
			fmt.Fprintf(&hosts, "  - {host: h%d-%d.many.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: none, port: {number: 80}}}}]}}\n", n, i)
		}
		files[fmt.Sprintf("a-many-%d.yaml", n)] = fmt.Sprintf("apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: many-%d, namespace: attacker}\nspec:\n  ingressClassName: sluice\n  rules:\n%s", n, hosts.String())
	}
	for name, text := range files {
		g.write(name, text)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-done:
				return
			case <-time.After(200 * time.Millisecond):
			}
			switch n % 3 {
			case 0: // another tenant's host, again and again
				g.write("a-unknown.yaml", strings.Replace(files["a-unknown.yaml"], "/zzz", fmt.Sprintf("/zzz/%d", n), 1))
			case 1:
				g.write("a-claim.yaml", strings.Replace(files["a-claim.yaml"], "name: claim", fmt.Sprintf("name: claim, labels: {n: \"%d\"}", n), 1))
			case 2: // each host is asked, some at a time
				for i := range 200 {
					g.ask(fmt.Sprintf("h%d-%d.many.test", n%2, (n*200/3+i)%8000))
				}
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(done)
		<-ended
	})
}

var asking = &http.Client{Timeout: 10 * time.Second}

// ask sends a request for a host, and returns the status, 0 where there is no answer.
func (g *gateway) ask(host string) int {
	req, err := http.NewRequest("GET", "http://"+g.addr+"/healthz", nil)
	if err != nil {
		panic(err)
	}
	req.Host = host
	resp, err := asking.Do(req)
	if err != nil {
		return 0
	}
	resp.Body.Close()
	return resp.StatusCode
}

// wantShut looks for ports that the hostile tenant's objects must not open. The node's loopback is not among them:
// a writer of a directory of manifests counts as the gateway's operator, and may serve the ports beside it.
func (g *gateway) wantShut() {
	g.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		status := g.ask("metadata.test")
		if status == 404 && time.Now().Before(deadline) {
			continue // not read yet, on a machine that is busy
		}
		if status != 503 {
			g.t.Errorf("a name for the metadata service answers %d", status)
		}
		return
	}
}
