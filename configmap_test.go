package sluice

import (
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// controllerConfigMap is that of ingress-nginx's controller, with some keys, each "key: value".
func controllerConfigMap(keys ...string) string {
	return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: controller, namespace: ingress-nginx}\ndata:\n  " + strings.Join(keys, "\n  ") + "\n"
}

// TestConfigMap: what ingress-nginx's ConfigMap in a folder says of the gateway counts from the first request on, changes with
// it, survives a reload, and goes when the configuration names none any more.
func TestConfigMap(t *testing.T) {
	const named = "kubernetes: {nginx_configmap: ingress-nginx/controller, watch_namespaces: [default]}\n"
	dir := t.TempDir()
	file := filepath.Join(dir, "manifests", "configmap.yaml")
	writeFile(t, file, controllerConfigMap(`use-forwarded-headers: "true"`, `proxy-real-ip-cidr: 127.0.0.0/8`, `keep-alive: "7"`))
	r := startGatewayIn(t, dir, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(r.Header.Get("X-Forwarded-For")))
	}), named)
	seen := func() string {
		request, err := http.NewRequest("GET", "http://"+r.http+"/api/v1", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "test.com"
		request.Header.Set("X-Forwarded-For", "192.0.2.7")
		_, body := r.do(request)
		return body
	}
	const believed, alone = "192.0.2.7, 127.0.0.1", "127.0.0.1"
	if got := seen(); got != believed {
		t.Errorf("at first: the backend is told %q", got)
	}
	if got := r.config.Load().Timeouts.Idle.String(); got != "7s" {
		t.Errorf("timeouts.idle is %s", got)
	}
	writeFile(t, file, controllerConfigMap(`use-forwarded-headers: "true"`, `proxy-real-ip-cidr: 10.0.0.0/8`))
	eventually(t, "the change", func() bool { return seen() == alone })
	writeFile(t, file, controllerConfigMap(`use-forwarded-headers: "true"`, `proxy-real-ip-cidr: 127.0.0.0/8`))
	eventually(t, "the change back", func() bool { return seen() == believed })

	r.configure(t, named+"timeouts: {body: 9s}\n")
	r.signals <- syscall.SIGHUP
	eventually(t, "the reload", func() bool { return r.config.Load().Timeouts.Body.String() == "9s" })
	if got := seen(); got != believed {
		t.Errorf("behind a reload: the backend is told %q", got)
	}
	r.configure(t, "timeouts: {body: 8s}\n")
	r.signals <- syscall.SIGHUP
	eventually(t, "that there is none", func() bool { return seen() == alone && len(r.config.Load().Forwarded.TrustedCIDRs) == 0 })
	r.stop(t)
}
