package sluice

import (
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// protectedObjects are an Ingress that asks for a password, for the leave of an authority, for a token, or for several of them,
// beside whatever else, and its Secrets: there, missing, broken, or of another namespace. authorities have keys for tokens neither.
func protectedObjects(r *mathrand.Rand, authorities []string) string {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	var annotations []string
	add := func(key, value string) {
		annotations = append(annotations, fmt.Sprintf("%s/%s: %q", one("nginx.ingress.kubernetes.io", "sluice-gateway.io"), key, value))
	}
	how := 1 + r.IntN(7)
	if how&1 != 0 {
		add("auth-type", one("basic", "basic", "basic", "digest", ""))
		if r.IntN(8) > 0 {
			add("auth-secret", one("users", "users", "shop/users", "evil/users", "no", "a/b/c", ""))
		}
		if r.IntN(3) == 0 {
			add("auth-secret-type", one("auth-file", "auth-map", "x"))
		}
		if r.IntN(3) == 0 {
			add("auth-realm", one("off", "", "Staff only", "a\"b"))
		}
	}
	if how&2 != 0 {
		add("auth-url", authorities[r.IntN(len(authorities))])
		if r.IntN(3) == 0 {
			add("auth-signin", one("https://login.test", "/login", "<"))
		}
		if r.IntN(3) == 0 {
			add("auth-response-headers", one("X-User", "X-A;X-B", "Content-Length"))
		}
		if r.IntN(4) == 0 {
			add("auth-method", one("GET", "POST", "HEAD", "x"))
		}
		if r.IntN(4) == 0 {
			add("auth-cache-key", one("$cookie_session", "$remote_addr", "$nothing"))
		}
		if r.IntN(4) == 0 {
			add("auth-cache-duration", one("200 202 401 5m", "soon", ""))
		}
	}
	if how&4 != 0 {
		annotations = append(annotations, tokenAnnotations(r, authorities)...)
	}
	if r.IntN(3) == 0 {
		add("satisfy", one("any", "all", "Any"))
	}
	if r.IntN(4) == 0 {
		add(one("whitelist-source-range", "allowlist-source-range"), one("10.0.0.0/8", "x", "")) // which the client is not in
	}
	if r.IntN(4) == 0 {
		add("enable-cors", "true")
	}
	if r.IntN(4) == 0 {
		add("rewrite-target", one("/inside", "x"))
	}
	if r.IntN(6) == 0 {
		add("auth-snippet", "return 200;")
	}
	if r.IntN(6) == 0 {
		add("proxy-body-size", "1")
	}
	text := ingressYAML("shop", "shop", 2020, strings.Join(annotations, ", "), "", ruleYAML("shop.test", "/"))
	secret := func(namespace, data string) string {
		return fmt.Sprintf("---\napiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: %s}\nstringData: {%s}\n", namespace, data)
	}
	text += secret("evil", `auth: "u:{PLAIN}wrong", jwks: '`+evil.keys()+`'`)
	if r.IntN(3) > 0 {
		text += secret("shop", one(`auth: "u:{PLAIN}right"`, `auth: "u:{PLAIN}right"`, `auth: ""`, `auth: "u:right"`, `auth: "u"`, `x: "y"`, `auth: "u:\nu:{PLAIN}wrong"`,
			`jwks: '`+honest.keys()+`'`, `jwks: '`+honest.keys()+`'`, `jwks: '{"keys":[]}'`, `jwks: "x"`, `jwks: ""`, `jwks: '{"keys":[{"kty":"oct","kid":"a","k":"AAAA"}]}'`,
			`u: "{PLAIN}right"`, `auth: "u:$2y$31$abcdefghijklmnopqrstuuHIrMEWpUCQe2YqFR3sXwQ75u4od..9q"`))
	}
	return text
}

// TestProtectedStaysClosed: whatever an Ingress asks for beside a password, the leave of an authority or a token, and whatever
// becomes of its Secrets, of the authority and of the URL with keys, a client without them never sees the Backend, also while all of it changes.
func TestProtectedStaysClosed(t *testing.T) {
	changes := 60
	if testing.Short() {
		changes = 30
	}
	serve := func(handler http.HandlerFunc) *net.TCPAddr {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: handler}
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
		return l.Addr().(*net.TCPAddr)
	}
	const content = "what is protected"
	pod := serve(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, content) })
	refuses := serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) })
	breaks := serve(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	sends := serve(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "http://"+pod.String())
		w.WriteHeader(302)
	})
	hangs := serve(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	endless := serve(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500) // after all, of an authority
		for piece := make([]byte, 16<<10); r.Context().Err() == nil; {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	})
	authorities := []string{"http://" + refuses.String() + "/$request_uri", "http://" + breaks.String(), "http://" + sends.String(), "http://127.0.0.1:1/",
		"http://nowhere.invalid/", "http://", "x", "", "http://$host/", "http://" + hangs.String(), "http://" + endless.String()}

	dir := t.TempDir()
	_, services, _ := strings.Cut(manifest("127.0.0.1", pod.Port), "---\n")
	writeFile(t, filepath.Join(dir, "services.yaml"), strings.ReplaceAll(services, "namespace: default", "namespace: shop"))
	path := filepath.Join(dir, "shop.yaml")
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := mathrand.New(mathrand.NewPCG(seed, 0))
	writeFile(t, path, protectedObjects(r, authorities))
	o := &serveOptions{source: source{manifests: dir}, sets: list{"listen.http=127.0.0.1:0", "listen.https=",
		"listen.metrics=", "listen.admin=", "listen.admin_socket=", "threads=1"}}
	g := startOptions(t, o)
	base := fmt.Sprintf("http://127.0.0.1:%d", g.plane.Ports()[0])

	client := &http.Client{Timeout: 300 * time.Millisecond, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(method, path, password string) (status int, body string) {
		req, err := http.NewRequest(method, base+path, nil)
		if err != nil {
			t.Error(err)
			return 0, ""
		}
		req.Host = "shop.test"
		req.Header.Set("Origin", "https://a.test")
		req.Header.Set("X-Forwarded-For", "10.0.0.1")
		if strings.Contains(password, ".") {
			req.Header.Set("Authorization", "Bearer "+password)
			req.Header.Set("Cookie", "token="+password)
		} else if password != "" {
			req.SetBasicAuth("u", password)
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, "" // an authority that hangs, and a client that does not wait for it
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b)
	}
	strangers := append([]string{"", "wrong", "right:", "u"}, strangeTokens(t)...)
	var asked atomic.Int64
	stop := make(chan struct{})
	var clients sync.WaitGroup
	for i := range 4 {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				password := strangers[(i+n)%len(strangers)]
				method := []string{"GET", "POST", "OPTIONS"}[n%3]
				target := []string{"/", "/a?b=c", "/.well-known/acme-challenge/x", "/x/../.well-known/acme-challenge"}[n/3%4]
				if status, body := ask(method, target, password); strings.Contains(body, content) {
					t.Errorf("%s %s is answered %d with what is protected", method, target, status)
					return
				}
				asked.Add(1)
			}
		})
	}
	for range changes {
		before, n := g.informer.Stats().Events, asked.Load()
		writeFile(t, path, protectedObjects(r, authorities))
		eventually(t, "build of the change", func() bool { return g.informer.Stats().Events > before })
		eventually(t, "request after the change", func() bool { return asked.Load() > n+4 || t.Failed() })
		if t.Failed() {
			text, _ := os.ReadFile(path)
			t.Logf("the last change:\n%s", text)
			break
		}
	}
	// All of it opens where it should.
	writeFile(t, path, ingressYAML("shop", "shop", 2020, `nginx.ingress.kubernetes.io/auth-type: basic, nginx.ingress.kubernetes.io/auth-secret: users`, "", ruleYAML("shop.test", "/"))+
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: shop}\nstringData: {auth: \"u:{PLAIN}right\"}\n")
	eventually(t, "the right password", func() bool { _, body := ask("GET", "/", "right"); return body == content })
	writeFile(t, path, ingressYAML("shop", "shop", 2020, `sluice-gateway.io/jwt-keys: users, sluice-gateway.io/jwt-issuer: me`, "", ruleYAML("shop.test", "/"))+
		"---\napiVersion: v1\nkind: Secret\nmetadata: {name: users, namespace: shop}\nstringData: {jwks: '"+honest.keys()+"'}\n")
	token := honest.sign(t, fmt.Sprintf(`{"exp":%d,"iss":"me"}`, time.Now().Add(time.Hour).Unix()))
	eventually(t, "the right token", func() bool { _, body := ask("GET", "/", token); return body == content })
	close(stop)
	clients.Wait()
	for _, r := range g.informer.Rejections() {
		if strings.Contains(r.Reason, "PLAIN") || strings.Contains(r.Reason, "right") {
			t.Errorf("a Rejection shows what a Secret holds: %s", r)
		}
	}
	g.signals <- os.Interrupt
	if err := <-g.ended; err != nil {
		t.Error(err)
	}
}
