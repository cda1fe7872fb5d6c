package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// suite is the state that all tests share. Immutable after TestMain has set it up.
type suite struct {
	dir     string // short: a socket path of etcd has to fit below it
	cluster *cluster
	gateway *gateway
	// gatewayConfig is the kubeconfig with the gateway's own, narrow rights.
	gatewayConfig string
}

var shared suite

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	for _, binary := range []string{sluiceBinary, clusterBinary, kubectlBinary} {
		if _, err := os.Stat(binary); err != nil {
			return 1, fmt.Errorf("%w: run `make build bin/cluster bin/kubectl`, or the whole suite by `make e2e`", err)
		}
	}
	if err := enterNamespace(); err != nil {
		return 1, fmt.Errorf("enter a network namespace: %w", err)
	}
	if shared.dir, err = os.MkdirTemp("", "e2e"); err != nil {
		return 1, err
	}
	defer os.RemoveAll(shared.dir)
	if err := startNameServer(filepath.Join(shared.dir, "resolv.conf")); err != nil {
		return 1, fmt.Errorf("start name server: %w", err)
	}
	shared.cluster = newCluster(filepath.Join(shared.dir, "c"))
	if err := shared.cluster.start(); err != nil {
		return 1, err
	}
	defer shared.cluster.kill()
	if shared.gatewayConfig, err = installBase(shared.cluster, shared.dir); err != nil {
		return 1, fmt.Errorf("install deploy/base: %w", err)
	}
	shared.gateway = newGateway(gatewayOptions{name: "shared", port: 8080, kubeconfig: shared.gatewayConfig})
	if err := shared.gateway.start(); err != nil {
		return 1, err
	}
	defer shared.gateway.kill()
	if err := shared.gateway.awaitReady(); err != nil {
		return 1, fmt.Errorf("%w; its log:\n%s", err, shared.gateway.logTail())
	}

	code = m.Run()

	if complaints := shared.gateway.complaints(); len(complaints) > 0 {
		code = 1
		fmt.Fprintf(os.Stderr, "e2e: the gateway logged what a healthy one never does:\n%s\n", complaints)
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "e2e: end of the gateway's log:\n%s\n", shared.gateway.logTail())
	}
	return code, nil
}
