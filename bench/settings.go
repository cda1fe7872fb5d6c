package main

import (
	"bytes"
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"text/template"
)

//go:embed peers/*.tmpl templates/*.tmpl
var files embed.FS

// Settings are the values that the configuration templates under peers/ may refer to. A value is made per
// started proxy and not changed afterwards.
type Settings struct {
	Threads  int // event loops, workers or threads of the proxy
	MaxConns int // connections that the proxy must be able to hold
	MaxFiles int // the limit on open files that the run has

	Dir   string // the proxy's own scratch directory
	Files string // the origin's document root

	Host        string // the one host that is routed
	Down, Up    Wire   // what clients speak, and what the origin does
	GRPC        bool   // requests are gRPC calls
	Small       string // the small answer of the origin, without its line feed
	Listen      string // ip:port the proxy serves on
	ListenAddr  string // the ip of Listen
	ListenPort  int    // the port of Listen
	Backend     string // ip:port of the origin
	BackendAddr string // the ip of Backend
	BackendPort int    // the port of Backend
	Metrics     string // ip:port of Sluice's metrics listener
	Admin       string // ip:port of Sluice's admin listener
	Plain       string // ip:port of Sluice's plain listener where Listen is one with TLS

	// Files and base64 of their content, as a Secret holds it; "" where nothing has TLS.
	Cert, Key, CertAndKey string
	CertData, KeyData     string
}

// benchHost is the host name that every request carries, except where a case brings its own targets.
const benchHost = "bench.test"

// render executes the embedded template of that name and writes the text to path.
func (s Settings) render(name, path string) error {
	text, err := renderTemplate(name, s)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make directory of %s: %w", path, err)
	}
	return os.WriteFile(path, text, 0o644)
}

// renderTemplate executes an embedded template; a field that data lacks is an error.
func renderTemplate(name string, data any) ([]byte, error) {
	t, err := template.New(filepath.Base(name)).Funcs(reportFuncs).ParseFS(files, name)
	if err != nil {
		return nil, fmt.Errorf("parse template %s: %w", name, err)
	}
	var out bytes.Buffer
	if err := t.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("execute template %s: %w", name, err)
	}
	return out.Bytes(), nil
}

// fileLimit is the number of descriptors that the processes of a run may open.
func fileLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	return int(min(l.Max, 65536))
}

// portAllocator hands out loopback addresses. It stays below the range that the kernel gives to outgoing
// connections: a load generator's own socket must not take the port that the next proxy will bind.
type portAllocator struct{ next int }

func newPortAllocator() *portAllocator {
	// Two runs on one machine start at different places; each address is tried before it is given out.
	return &portAllocator{next: 18000 + os.Getpid()%1000*10}
}

func (p *portAllocator) address() (string, error) {
	for range 2000 {
		p.next++
		if p.next >= 32000 {
			p.next = 18000
		}
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(p.next))
		l, err := net.Listen("tcp", addr)
		if err != nil {
			continue
		}
		l.Close()
		return addr, nil
	}
	return "", fmt.Errorf("find a free port between 18000 and 32000: all are taken")
}
