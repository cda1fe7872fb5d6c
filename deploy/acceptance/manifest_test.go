package acceptance

import (
	"fmt"
	"net"
	"strings"
)

const classYAML = `apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: sluice}
spec: {controller: sluice-gateway.io/ingress}
`

const serviceYAML = `apiVersion: v1
kind: Service
metadata: {name: app, namespace: default}
spec:
  ports: [{name: http, port: 80, targetPort: 8080}]
`

// ingressYAML routes all of a.test to the Service; round changes a path that is never asked for.
func ingressYAML(round int) string {
	return fmt.Sprintf(`apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: app, namespace: default}
spec:
  ingressClassName: sluice
  rules:
  - host: a.test
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: app, port: {number: 80}}}}
      - {path: /round/%d, pathType: Exact, backend: {service: {name: app, port: {number: 80}}}}
`, round)
}

// slicesYAML is one EndpointSlice for each endpoint, because the ports differ.
func slicesYAML(endpoints []string) string {
	var b strings.Builder
	for _, e := range endpoints {
		host, port, _ := net.SplitHostPort(e)
		fmt.Fprintf(&b, `---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: app-%s
  namespace: default
  labels: {kubernetes.io/service-name: app}
addressType: IPv4
ports: [{name: http, port: %s, protocol: TCP}]
endpoints: [{addresses: [%q], conditions: {ready: true, serving: true, terminating: false}}]
`, port, port, host)
	}
	return b.String()
}
