package interop

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
	xwebsocket "golang.org/x/net/websocket"
)

// browserScript does the requests of a web application in a page, and returns their results.
const browserScript = `(async () => {
	const seen = {page: document.title, protocol: performance.getEntriesByType('navigation')[0].nextHopProtocol};
	performance.setResourceTimingBufferSize(1000);
	const texts = await Promise.all(Array.from({length: 50}, (_, i) => fetch('/?' + i).then(r => r.text())));
	seen.fetches = texts.filter(t => t.startsWith('GET ')).length;
	seen.fetchProtocols = [...new Set(performance.getEntriesByType('resource').map(e => e.nextHopProtocol))].join();
	seen.events = await new Promise((done, failed) => {
		let n = 0;
		const source = new EventSource('/events?n=30');
		source.onmessage = e => { if (e.data === 'event ' + n && ++n === 30) { source.close(); done(n); } };
		source.onerror = () => { source.close(); failed(new Error('events ended after ' + n)); };
	});
	const webSocket = (messages) => new Promise((done, failed) => {
		const ws = new WebSocket(location.origin.replace('http', 'ws') + '/chat');
		let next = 0;
		ws.onopen = () => messages.forEach(m => ws.send(m));
		ws.onmessage = e => {
			if (e.data !== messages[next]) failed(new Error('message ' + next + ' came back with ' + e.data.length));
			if (++next === messages.length) ws.close(1000, 'done');
		};
		ws.onclose = e => e.wasClean ? done(next) : failed(new Error('closed with ' + e.code + ' after ' + next));
	});
	const messages = ['hello', 'ä€😀', 'x'.repeat(70000), 'y'.repeat(1 << 20)];
	seen.webSockets = (await Promise.all(Array.from({length: 10}, () => webSocket(messages)))).reduce((a, b) => a + b);
	const size = SIZE;
	let got = 0;
	const reader = (await fetch('/bytes?n=' + size)).body.getReader();
	for (let r; !(r = await reader.read()).done;) got += r.value.length;
	seen.download = got;
	const piece = new Uint8Array(1 << 20);
	const sum = await fetch('/sum', {method: 'POST', body: new Blob(Array(size >> 20).fill(piece))});
	seen.upload = Number((await sum.text()).split(' ')[0]);
	const aborted = new AbortController();
	const endless = await fetch('/bytes?n=10000000000', {signal: aborted.signal});
	await endless.body.getReader().read();
	aborted.abort();
	seen.afterAbort = (await fetch('/')).status;
	return JSON.stringify(seen);
})()`

type browserSight struct {
	Page, Protocol, FetchProtocols                            string
	Fetches, Events, WebSockets, Download, Upload, AfterAbort int
}

// TestBrowser has a real Chromium load a page and run what is above, in clear text and HTTP/1.1, and over TLS
// in HTTP/2, where its WebSockets are streams (RFC 8441).
func TestBrowser(t *testing.T) {
	chromium := tool(t, "chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
	var services []service
	for _, u := range []up{ups[0], ups[2]} {
		b := &backend{held: make(chan struct{})}
		run := startBackend(t, u, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/page":
				w.Header().Set("Content-Type", "text/html")
				fmt.Fprint(w, "<!doctype html><title>sluice</title><link rel=icon href='data:,'><p>hello")
			case "/chat":
				echoMessages(w, r)
			default:
				b.ServeHTTP(w, r)
			}
		}))
		services = append(services, service{host: u.host(), protocol: u.annotation, endpoints: []string{run.addr}})
	}
	g := start(t, "", services...)
	devTools := startChromium(t, chromium)
	for _, d := range []down{downs[0], downs[3]} {
		for i, s := range services {
			size := 200 << 20
			if i > 0 && !long || testing.Short() {
				size = 20 << 20
			}
			t.Run(d.name+" to "+s.name(), func(t *testing.T) {
				_, port, _ := net.SplitHostPort(g.addr(d))
				page := openPage(t, devTools, d.url(s.host+":"+port, "/page"))
				before := g.metric("sluice_connections_accepted_total")
				text := page.evaluate(t, strings.Replace(browserScript, "SIZE", fmt.Sprint(size), 1))
				opened := g.metric("sluice_connections_accepted_total") - before
				var got browserSight
				if err := json.Unmarshal([]byte(text), &got); err != nil {
					t.Fatalf("the page returned %q: %v", text, err)
				}
				protocol := map[bool]string{false: "http/1.1", true: "h2"}[d.http2]
				if want := (browserSight{"sluice", protocol, protocol, 50, 30, 40, size, size, 200}); got != want {
					t.Errorf("the page saw\n%+v, want\n%+v", got, want)
				}
				t.Logf("%+v; %v connections opened", got, opened)
				if d.http2 && opened > 0 {
					t.Errorf("%v further connections were opened: the WebSockets were no streams", opened)
				}
			})
		}
	}
}

// echoMessages echoes whole messages, which browsers send in fragments.
func echoMessages(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer c.CloseNow()
	c.SetReadLimit(16 << 20)
	for {
		kind, message, err := c.Read(r.Context())
		if err != nil || c.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// startChromium runs a browser without a window and returns the address of its DevTools.
func startChromium(t *testing.T, path string) string {
	t.Helper()
	cmd := exec.Command(path, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0",
		"--remote-allow-origins=*", "--user-data-dir="+t.TempDir(), "--no-first-run", "--disable-background-networking", "--disable-component-update",
		"--host-resolver-rules=MAP *.test 127.0.0.1", "--ignore-certificate-errors-spki-list="+certSPKI, "about:blank")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its own group: all of its processes
		_ = cmd.Wait()
	})
	address := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			if _, after, ok := strings.Cut(lines.Text(), "DevTools listening on ws://"); ok {
				host, _, _ := strings.Cut(after, "/")
				address <- host
			}
		}
	}()
	select {
	case a := <-address:
		return a
	case <-time.After(patience):
		t.Fatal("Chromium does not start")
		return ""
	}
}

// page is a tab of the browser, spoken to by the DevTools protocol.
type page struct {
	conn *xwebsocket.Conn
	id   int
}

func openPage(t *testing.T, devTools, url string) *page {
	t.Helper()
	req, _ := http.NewRequest("PUT", "http://"+devTools+"/json/new?"+url, nil)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var target struct{ WebSocketDebuggerURL string }
	text, _ := io.ReadAll(resp.Body)
	if err := json.Unmarshal(text, &target); err != nil || target.WebSocketDebuggerURL == "" {
		t.Fatalf("open page: %v: %s", err, text)
	}
	conn, err := xwebsocket.Dial(target.WebSocketDebuggerURL, "", "http://"+devTools+"/")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &page{conn: conn}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // asks a process
		if got := p.evaluate(t, "location.href + ' ' + document.readyState"); got == url+" complete" {
			return p
		} else if time.Now().After(deadline) {
			t.Fatalf("the page does not load: %s", got)
		}
	}
}

// evaluate runs an expression in the page, waits for its promise, and returns its value, a string.
func (p *page) evaluate(t *testing.T, expression string) string {
	t.Helper()
	p.id++
	_ = p.conn.SetDeadline(time.Now().Add(2 * time.Minute))
	err := xwebsocket.JSON.Send(p.conn, map[string]any{"id": p.id, "method": "Runtime.evaluate",
		"params": map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}})
	for err == nil {
		var reply struct {
			ID     int
			Result struct {
				Result           struct{ Value any }
				ExceptionDetails *json.RawMessage
			}
		}
		if err = xwebsocket.JSON.Receive(p.conn, &reply); err != nil || reply.ID != p.id {
			continue
		}
		if e := reply.Result.ExceptionDetails; e != nil {
			t.Fatalf("the page failed: %s", *e)
		}
		return fmt.Sprint(reply.Result.Result.Value)
	}
	t.Fatalf("DevTools: %v", err)
	return ""
}
