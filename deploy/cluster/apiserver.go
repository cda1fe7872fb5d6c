package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	logsapi "k8s.io/component-base/logs/api/v1"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	kubeoptions "k8s.io/kubernetes/cmd/kube-apiserver/app/options"
)

const apiserverLog = "apiserver.log"

// disabledAdmission are the default admission plugins that wait for controllers or nodes this cluster does not have.
// Plugins that a gateway can meet stay on: NamespaceLifecycle, DefaultIngressClass, and admission webhooks and policies.
const disabledAdmission = "ServiceAccount,ResourceQuota,LimitRanger,TaintNodesByCondition,StorageObjectInUseProtection," +
	"DefaultStorageClass,PersistentVolumeClaimResize,RuntimeClass,NodeDeclaredFeatureValidator"

// apiServer is a running kube-apiserver.
type apiServer struct {
	done chan struct{} // closed when it has stopped
	err  error         // why; valid after done, never nil
}

// startAPIServer runs kube-apiserver on listener until ctx is done. It returns before the server is ready.
// One process can do this once: kube-apiserver keeps feature gates, metrics and logging in package variables.
func startAPIServer(ctx context.Context, dir string, listener net.Listener, authority *authority, etcdURL string, extra []string) (*apiServer, error) {
	address := listener.Addr().(*net.TCPAddr)
	certFile, keyFile, err := authority.issueServer(dir, address.IP)
	if err != nil {
		return nil, err
	}

	server := kubeoptions.NewServerRunOptions()
	server.SecureServing.Listener = listener
	server.SecureServing.BindAddress = address.IP
	server.SecureServing.BindPort = address.Port

	flags := pflag.NewFlagSet("kube-apiserver", pflag.ContinueOnError)
	sets := server.Flags()
	for _, set := range sets.FlagSets {
		flags.AddFlagSet(set)
	}
	args := append([]string{
		"--etcd-servers=" + etcdURL,
		"--tls-cert-file=" + certFile,
		"--tls-private-key-file=" + keyFile,
		"--client-ca-file=" + authority.certFile,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + authority.tokenKeyFile,
		"--service-account-key-file=" + authority.tokenKeyFile,
		"--authorization-mode=RBAC",
		"--disable-admission-plugins=" + disabledAdmission,
		"--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112",
		"--allow-privileged=true",
		// The API refuses a loopback address as the endpoint of Service "kubernetes", and no Pod is there to use it.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
		// One administrator and one gateway need no fair queues; a benchmark must not meet the plain limits either.
		"--enable-priority-and-fairness=false",
		"--max-requests-inflight=2000",
		"--max-mutating-requests-inflight=1000",
		"--profiling=false",
		// End open watches at shutdown. Without it the server waits a minute for them, and each informer holds one.
		"--shutdown-watch-termination-grace-period=100ms",
	}, extra...)
	if err := flags.Parse(args); err != nil {
		return nil, fmt.Errorf("parse API server flags: %w", err)
	}
	if err := logToFile(filepath.Join(dir, apiserverLog), server.Logs); err != nil {
		return nil, err
	}
	if err := server.GenericServerRunOptions.ComponentGlobalsRegistry.Set(); err != nil {
		return nil, fmt.Errorf("configure API server: %w", err)
	}
	// The server's own client would log each deprecation warning that the server sends it.
	rest.SetDefaultWarningHandler(rest.NoWarnings{})
	completed, err := server.Complete(ctx)
	if err != nil {
		return nil, fmt.Errorf("configure API server: %w", err)
	}
	if err := errors.Join(completed.Validate()...); err != nil {
		return nil, fmt.Errorf("configure API server: %w", err)
	}

	s := &apiServer{done: make(chan struct{})}
	go func() {
		defer close(s.done)
		s.err = app.Run(ctx, completed)
		if s.err == nil {
			s.err = errors.New("it was told to")
		}
		klog.Flush()
	}()
	return s, nil
}

// logToFile sends what kube-apiserver logs to the end of a file, so that standard error has only this program's own errors.
func logToFile(name string, config *logsapi.LoggingConfiguration) error {
	// Left open for the process's life: background goroutines of the server log until the very end.
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open API server log: %w", err)
	}
	streams := &logsapi.LoggingOptions{ErrorStream: file, InfoStream: file}
	if err := logsapi.ValidateAndApplyWithOptions(config, streams, nil); err != nil {
		return fmt.Errorf("configure API server log: %w", err)
	}
	return nil
}
