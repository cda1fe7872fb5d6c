package main

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// readyPoll is the pause between looks at /readyz; a look costs under a millisecond.
const readyPoll = 50 * time.Millisecond

// waitReady returns when the API server reports that it is ready and has the namespaces that everything assumes. It asks
// as a client would, over TLS and with the administrator's certificate, so its answer holds for the kubeconfig.
func waitReady(ctx context.Context, url string, ca []byte, admin keyPair) error {
	client, err := kubernetes.NewForConfig(&rest.Config{
		Host:            url,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca, CertData: admin.cert, KeyData: admin.key},
	})
	if err != nil {
		return fmt.Errorf("make API client: %w", err)
	}
	for {
		err := client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
		if err == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the API server: %w", err)
		case <-time.After(readyPoll):
		}
	}
	// The server makes these by itself, but a moment after it reports itself ready.
	for _, name := range []string{metav1.NamespaceDefault, metav1.NamespaceSystem} {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		_, err := client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
		if err != nil && !apierrors.IsAlreadyExists(err) {
			return fmt.Errorf("create namespace %s: %w", name, err)
		}
	}
	return nil
}
