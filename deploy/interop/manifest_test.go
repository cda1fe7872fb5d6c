package interop

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
)

// service is a Host of the gateway and the Backend behind it.
type service struct {
	host        string // empty: requests that no other Host takes
	protocol    string // as the annotation backend-protocol has it; empty: HTTP
	endpoints   []string
	annotations map[string]string // without their prefix
}

// name is the name of the objects that make up the service.
func (s service) name() string {
	if s.host == "" {
		return "any"
	}
	return strings.ReplaceAll(s.host, ".", "-")
}

const classYAML = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: sluice}
spec: {controller: sluice-gateway.io/ingress}
`

// yaml is the Ingress, the Service and the EndpointSlices. round changes a path that nobody asks for.
func (s service) yaml(round int) string {
	var b strings.Builder
	protocol := s.protocol
	if protocol == "" {
		protocol = "HTTP"
	}
	host, tls := "", ""
	if s.host != "" {
		host = fmt.Sprintf("host: %q\n    ", s.host)
		tls = fmt.Sprintf("  tls: [{hosts: [%q], secretName: cert}]\n", s.host)
	}
	fmt.Fprintf(&b, `apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: %[1]s
  namespace: default
  annotations:
    sluice-gateway.io/backend-protocol: %[2]s
    nginx.ingress.kubernetes.io/ssl-redirect: "false"
`, s.name(), protocol)
	for k, v := range s.annotations {
		fmt.Fprintf(&b, "    sluice-gateway.io/%s: %q\n", k, v)
	}
	fmt.Fprintf(&b, `spec:
  ingressClassName: sluice
%[4]s  rules:
  - %[2]shttp:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: %[1]s, port: {number: 80}}}}
      - {path: /round/%[3]d, pathType: Exact, backend: {service: {name: %[1]s, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: %[1]s, namespace: default}
spec:
  ports: [{name: main, port: 80, targetPort: 8080}]
`, s.name(), host, round, tls)
	for _, e := range s.endpoints {
		host, port, _ := net.SplitHostPort(e)
		fmt.Fprintf(&b, `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: %[1]s-%[3]s
  namespace: default
  labels: {kubernetes.io/service-name: %[1]s}
addressType: IPv4
ports: [{name: main, port: %[3]s, protocol: TCP}]
endpoints: [{addresses: [%[2]q], conditions: {ready: true, serving: true, terminating: false}}]
`, s.name(), host, port)
	}
	return b.String()
}

func secretYAML(cert, key []byte) string {
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: cert, namespace: default}\ntype: kubernetes.io/tls\ndata:\n  tls.crt: %s\n  tls.key: %s\n",
		base64.StdEncoding.EncodeToString(cert), base64.StdEncoding.EncodeToString(key))
}
