package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// routeTable is a table of so many Routes, ten to a Host, one Ingress to a Host: the shape of a cluster that
// gives every team a name and every service a path. It is the same on every run.
type routeTable int

// routesPerHost is how many paths a Host has.
const routesPerHost = 10

// target is the host and path of one Route; i counts from 0.
func (t routeTable) target(i int) (host, path string) {
	return routeHost(i / routesPerHost), routePath(i % routesPerHost)
}

func routeHost(i int) string { return fmt.Sprintf("h%05d.bench.test", i) }
func routePath(i int) string { return fmt.Sprintf("/svc-%d", i) }

// writeTargets writes 100,000 lines "host path" that hit the Routes at random. The number and the length of
// lines do not depend on the size of the table, so the generator does the same work for each.
func (t routeTable) writeTargets(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write targets: %w", err)
	}
	w := bufio.NewWriter(f)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 100_000 {
		host, path := t.target(random.IntN(int(t)))
		fmt.Fprintf(w, "%s %s/items/%05d\n", host, path, i)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write targets: %w", err)
	}
	return f.Close()
}

// writeManifests writes the Ingresses into dir, some hundred to a file.
func (t routeTable) writeManifests(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("write routes: %w", err)
	}
	const perFile = 500
	hosts := (int(t) + routesPerHost - 1) / routesPerHost
	for from := 0; from < hosts; from += perFile {
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("routes-%05d.yaml", from)))
		if err != nil {
			return fmt.Errorf("write routes: %w", err)
		}
		w := bufio.NewWriter(f)
		for h := from; h < min(from+perFile, hosts); h++ {
			fmt.Fprintf(w, "---\n{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: h%05d, namespace: bench}, spec: {ingressClassName: sluice, rules: [{host: %s, http: {paths: [", h, routeHost(h))
			for p := range min(routesPerHost, int(t)-h*routesPerHost) {
				fmt.Fprintf(w, "{path: %s, pathType: Prefix, backend: {service: {name: backend, port: {number: 80}}}}, ", routePath(p))
			}
			fmt.Fprint(w, "]}}]}}\n")
		}
		if err := w.Flush(); err != nil {
			return fmt.Errorf("write routes: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("write routes: %w", err)
		}
	}
	return nil
}
