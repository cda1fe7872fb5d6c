package main

import (
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

const (
	etcdLog = "etcd.log"

	// The kernel's limit on a Unix socket's path is 108 bytes with the closing NUL.
	maxSocketPath = 107

	// No peer and no client but the API server exists, yet etcd must advertise an address to them. Nothing ever dials it.
	etcdUnused = "http://127.0.0.1:2380"
)

// store is a running etcd of one member.
type store struct {
	// Immutable after startEtcd:
	etcd *embed.Etcd
	url  string // for --etcd-servers
}

// startEtcd runs etcd on the data in dir and returns when it serves. It listens on a Unix socket: no
// port to collide, and only the directory's owner can reach it.
func startEtcd(dir string) (*store, error) {
	socket := filepath.Join(dir, "etcd.sock")
	if len(socket) > maxSocketPath {
		return nil, fmt.Errorf("start etcd: path of socket %s is longer than %d bytes; choose a shorter --dir", socket, maxSocketPath)
	}
	client := url.URL{Scheme: "unix", Path: socket}
	unused, err := url.Parse(etcdUnused)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}

	cfg := embed.NewConfig()
	cfg.Name = "cluster"
	cfg.Dir = filepath.Join(dir, "etcd")
	cfg.ListenClientUrls = []url.URL{client}
	cfg.AdvertiseClientUrls = []url.URL{*unused}
	cfg.ListenPeerUrls = nil
	cfg.AdvertisePeerUrls = []url.URL{*unused}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	cfg.EnableGRPCGateway = false
	// Left at its zero value, every request would be logged as a slow one.
	cfg.WarningUnaryRequestDuration = embed.DefaultWarningUnaryRequestDuration
	cfg.LogLevel = "warn"
	cfg.LogOutputs = []string{filepath.Join(dir, etcdLog)}
	// Data survives the death of the process, which tests cause, but not that of the machine, which they do not.
	cfg.UnsafeNoFsync = true
	// A single member has no other to wait for, so it elects itself early. With the default second a start takes 3.3 s
	// instead of 2.1 s; ticks of 10 ms gain nothing more and take half a percent of a core.
	cfg.TickMs = 25
	cfg.ElectionMs = 250

	etcd, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	select {
	case <-etcd.Server.ReadyNotify():
		return &store{etcd: etcd, url: client.String()}, nil
	case err := <-etcd.Err():
		etcd.Close()
		return nil, fmt.Errorf("start etcd: %w", err)
	case <-time.After(readyWithin):
		etcd.Close()
		return nil, fmt.Errorf("start etcd: not ready within %s, see %s", readyWithin, filepath.Join(dir, etcdLog))
	}
}

// Close stops etcd and waits until its files are closed.
func (s *store) Close() { s.etcd.Close() }
