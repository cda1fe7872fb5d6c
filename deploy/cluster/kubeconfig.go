package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigMark opens each kubeconfig that this program wrote, and so may write again.
const kubeconfigMark = "# Written by the local cluster; replaced when it starts.\n"

// kubeconfigPath returns the absolute path of the kubeconfig to write: name, or one in dir when name is empty. It
// refuses a file without the mark: a slip of the hand must not cost a user the credentials of real clusters.
func kubeconfigPath(name, dir string) (string, error) {
	if name == "" {
		return filepath.Join(dir, "kubeconfig"), nil
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return "", fmt.Errorf("resolve kubeconfig: %w", err)
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	if err != nil {
		return "", fmt.Errorf("read kubeconfig: %w", err)
	}
	if len(content) > 0 && !bytes.HasPrefix(content, []byte(kubeconfigMark)) {
		return "", fmt.Errorf("write kubeconfig: %s exists and is not of a local cluster; choose another --kubeconfig", path)
	}
	return path, nil
}

// writeKubeconfig writes a kubeconfig that holds all it refers to, so it can be copied to another directory or mounted alone.
func writeKubeconfig(path, url string, ca []byte, admin keyPair) error {
	const name = "sluice-local"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: url, CertificateAuthorityData: ca}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: admin.cert, ClientKeyData: admin.key}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	text, err := clientcmd.Write(*config)
	if err != nil {
		return fmt.Errorf("encode kubeconfig: %w", err)
	}
	return writeFile(path, append([]byte(kubeconfigMark), text...))
}
