package sluice

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// shopSerial is that of the honest namespace's certificate.
const shopSerial = 20

// secretYAML is a Secret with a new self-signed pair for names, which is an authority too.
func secretYAML(t *testing.T, namespace, name string, serial int64, key crypto.Signer, names ...string) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(kind string, der []byte) string {
		return base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	chain := encode("CERTIFICATE", der)
	return fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {name: %s, namespace: %s}\ntype: kubernetes.io/tls\ndata: {tls.crt: %s, tls.key: %s, ca.crt: %s}\n",
		name, namespace, chain, encode("PRIVATE KEY", private), chain)
}

// ingressYAML is an Ingress of a year; tls and rules are the text after these keys, "" for nothing.
func ingressYAML(namespace, name string, year int, annotations, tls, rules string) string {
	text := fmt.Sprintf("---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: %s\n  namespace: %s\n  creationTimestamp: \"%d-01-01T00:00:00Z\"\n  annotations: {%s}\nspec:\n  ingressClassName: sluice\n",
		name, namespace, year, annotations)
	if tls != "" {
		text += "  tls: [" + tls + "]\n"
	}
	if rules != "" {
		text += "  rules: [" + rules + "]\n"
	}
	return text
}

func ruleYAML(host, path string) string {
	return fmt.Sprintf(`{host: %q, http: {paths: [{path: %q, pathType: Prefix, backend: {service: {name: echo, port: {number: 80}}}}]}}`, host, path)
}

// hostileObjects is the next content of one file of the hostile namespace: anything that an Ingress can be,
// about the host of the honest one, and about those around it. All of it is younger.
func hostileObjects(r *mathrand.Rand, n int) string {
	name, year := fmt.Sprint("hostile-", n), 2021+r.IntN(5)
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	annotation := func(key, value string) string { return fmt.Sprintf("nginx.ingress.kubernetes.io/%s: %q", key, value) }
	annotations := one(
		"",
		annotation("auth-tls-foo", "1"),
		annotation("auth-url", "https://evil.test/"),
		annotation("auth-tls-secret", "pair")+", "+annotation("auth-tls-error-page", "https://evil.test/"),
		annotation("auth-tls-secret", "no-such"),
		annotation("auth-tls-secret", "pair")+", "+annotation("auth-tls-match-cn", "CN="+strings.Repeat("a{1000}", 3000)),
		annotation("auth-tls-secret", "pair")+", "+annotation("auth-tls-match-cn", "CN="+strings.Repeat("(?:.?){1000}", 300)),
		annotation("ssl-ciphers", "AES128-SHA"),
		annotation("ssl-passthrough", "true"),
		annotation("ssl-passthrough", "true")+", "+annotation("ssl-ciphers", "AES128-SHA"),
	)
	tls := one("",
		`{hosts: ["shop.test"], secretName: pair}`,
		`{hosts: ["*.test"], secretName: pair}`,
		`{hosts: ["shop.test", "*.test"], secretName: no-such}`,
		`{secretName: pair}`,
	)
	rules := one("",
		ruleYAML("shop.test", "/zzz"),
		ruleYAML("shop.test", "/"),
		ruleYAML("*.test", "/"),
		ruleYAML("", "/"),
		ruleYAML("shop.test", "/zzz")+", "+ruleYAML("*.test", "/")+", "+ruleYAML("", "/"),
		`{host: "shop.test"}`,
	)
	return ingressYAML("evil", name, year, annotations, tls, rules)
}

// TestHostileNamespace: while a namespace writes whatever it can about the host of another, clients of that
// one see nothing of it: no failed request, no other certificate, no refused version or suite.
func TestHostileNamespace(t *testing.T) {
	changes := 150
	if testing.Short() {
		changes = 30
	}
	pod, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "shop "+r.URL.Path) })}
	go backend.Serve(pod)
	t.Cleanup(func() { backend.Close() })
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	objects := manifest("127.0.0.1", pod.Addr().(*net.TCPAddr).Port)
	_, services, _ := strings.Cut(objects, "---\n")
	writeFile(t, filepath.Join(dir, "shop.yaml"), strings.ReplaceAll(services, "namespace: default", "namespace: shop")+
		secretYAML(t, "shop", "pair", shopSerial, rsaKey, "shop.test")+
		ingressYAML("shop", "shop", 2020, "", `{hosts: ["shop.test"], secretName: pair}`, ruleYAML("shop.test", "/")))
	writeFile(t, filepath.Join(dir, "evil.yaml"), strings.ReplaceAll(services, "namespace: default", "namespace: evil")+
		secretYAML(t, "evil", "pair", 66, ecKey, "shop.test", "*.test"))

	o := &serveOptions{source: source{manifests: dir}, sets: list{"listen.http=127.0.0.1:0", "listen.https=127.0.0.1:0",
		"listen.metrics=", "listen.admin=", "listen.admin_socket=", "threads=1"}}
	g := startOptions(t, o)
	ports := g.plane.Ports()

	// Honest clients, of both versions of TLS and of HTTP, on new connections and on old ones.
	var served atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			version := uint16(tls.VersionTLS12 + i&1)
			tr := &http.Transport{ForceAttemptHTTP2: i&2 != 0, TLSClientConfig: &tls.Config{
				ServerName: "shop.test", InsecureSkipVerify: true, MinVersion: version, MaxVersion: version,
			}}
			defer tr.CloseIdleConnections()
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				scheme, port := "https", ports[1]
				if n%10 == 9 {
					scheme, port = "http", ports[0]
				}
				path := fmt.Sprintf("/cart/%d/%d", i, n)
				response, err := tr.RoundTrip(&http.Request{Method: "GET", Host: "shop.test", Header: http.Header{},
					URL: &url.URL{Scheme: scheme, Host: fmt.Sprintf("127.0.0.1:%d", port), Path: path}})
				if err != nil {
					t.Errorf("%s: %v", path, err)
					return
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != 200 || string(body) != "shop "+path {
					t.Errorf("%s over %s: %d %q %v", path, scheme, response.StatusCode, body, err)
					return
				}
				if response.TLS != nil && response.TLS.PeerCertificates[0].SerialNumber.Int64() != shopSerial {
					t.Errorf("certificate %v is shown", response.TLS.PeerCertificates[0].SerialNumber)
					return
				}
				if served.Add(1); n%7 == 6 {
					tr.CloseIdleConnections()
				}
			}
		})
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	for n := range changes {
		path := filepath.Join(dir, fmt.Sprintf("hostile-%d.yaml", n%8))
		before, asked := g.informer.Stats().Events, served.Load()
		if r.IntN(5) == 0 {
			os.Remove(path)
			continue
		}
		writeFile(t, path, hostileObjects(r, n%8))
		eventually(t, "build of the change", func() bool { return g.informer.Stats().Events > before })
		eventually(t, "request after the change", func() bool { return served.Load() > asked+8 || t.Failed() })
		if t.Failed() {
			text, _ := os.ReadFile(path)
			t.Logf("the last change:\n%.2000s", text)
			break
		}
	}
	close(stop)
	clients.Wait()
	for _, r := range g.informer.Rejections() {
		if r.Object.Namespace == "shop" || strings.Contains(r.Reason, "shop/") {
			t.Errorf("shown to namespace %s: %s", r.Object.Namespace, r)
		}
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("%d requests, %d KiB live", served.Load(), m.HeapAlloc>>10)
	if m.HeapAlloc > 128<<20 {
		t.Errorf("%d MiB live", m.HeapAlloc>>20)
	}
	g.signals <- os.Interrupt
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
}
