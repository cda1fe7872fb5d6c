package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// readyWithin bounds the whole start. A start takes a few seconds; the rest is for machines that compile or test on all cores meanwhile.
const readyWithin = 2 * time.Minute

// run starts etcd, then the API server, reports readiness on stdout, and keeps both until ctx is done or one of them fails.
// It stops them in the opposite order, because an API server whose etcd has gone waits for it in vain.
func run(ctx context.Context, opts options, stdout io.Writer) error {
	dir, removeDir, err := openDir(opts.dir)
	if err != nil {
		return err
	}
	defer removeDir()
	unlock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer unlock()

	kubeconfig, err := kubeconfigPath(opts.kubeconfig, dir)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", opts.listen)
	if err != nil {
		return fmt.Errorf("listen for the API: %w", err)
	}
	defer listener.Close()
	authority, err := loadAuthority(dir)
	if err != nil {
		return err
	}

	store, err := startEtcd(dir)
	if err != nil {
		return err
	}
	defer store.Close()

	serverCtx, stopServer := context.WithCancel(context.Background())
	defer stopServer()
	server, err := startAPIServer(serverCtx, dir, listener, authority, store.url, opts.apiserver)
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	go func() {
		select {
		case <-server.done:
			failed <- fmt.Errorf("API server stopped, see %s: %w", filepath.Join(dir, apiserverLog), server.err)
		case err := <-store.etcd.Err():
			failed <- fmt.Errorf("etcd stopped, see %s: %w", filepath.Join(dir, etcdLog), err)
		}
	}()

	// However this function ends from here on, the API server is asked to finish and waited for before etcd closes.
	defer func() {
		stopServer()
		<-server.done
	}()

	admin, err := authority.issueAdmin()
	if err != nil {
		return err
	}
	url := "https://" + dialAddress(listener.Addr())
	ready := make(chan error, 1)
	readyCtx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	go func() { ready <- waitReady(readyCtx, url, authority.certPEM, admin) }()
	select {
	case err := <-failed:
		return err
	case err := <-ready:
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w; see %s", err, filepath.Join(dir, apiserverLog))
		}
	}

	if err := writeKubeconfig(kubeconfig, url, authority.certPEM, admin); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "ready %s %s\n", url, kubeconfig); err != nil {
		return fmt.Errorf("report readiness: %w", err)
	}

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// openDir returns the absolute path of the state directory, made where missing, and what to call when it is no longer used.
// Only its owner may enter it: it holds private keys and etcd's socket, which asks for no password.
func openDir(name string) (dir string, remove func(), err error) {
	if name == "" {
		dir, err = os.MkdirTemp("", "cluster-")
		if err != nil {
			return "", nil, fmt.Errorf("make state directory: %w", err)
		}
		return dir, func() { os.RemoveAll(dir) }, nil
	}
	dir, err = filepath.Abs(name)
	if err != nil {
		return "", nil, fmt.Errorf("resolve state directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", nil, fmt.Errorf("make state directory: %w", err)
	}
	return dir, func() {}, nil
}

// lockDir claims dir for this process. The kernel drops the lock when the process dies, however it dies.
// Without it a second cluster would hang silently on the lock of etcd's database.
func lockDir(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock state directory: another cluster is running in %s", dir)
		}
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	return func() { file.Close() }, nil
}

// dialAddress is the host:port under which a client on this machine reaches a listener, also one bound to every address.
func dialAddress(addr net.Addr) string {
	tcp := addr.(*net.TCPAddr)
	if !tcp.IP.IsUnspecified() {
		return tcp.String()
	}
	return (&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}).String()
}
