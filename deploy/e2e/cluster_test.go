package e2e

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// apiAddress is where the API server listens, before and after each restart.
const apiAddress = "127.0.0.1:6443"

// cluster is the local control plane of deploy/cluster.
type cluster struct {
	// Immutable after newCluster:
	dir string

	// Set by start:
	*process
	kubeconfig string
	client     *kubernetes.Clientset // an administrator without a rate limit
}

func newCluster(dir string) *cluster { return &cluster{dir: dir} }

// start runs the control plane and returns when its API can be used. What an earlier run left in dir
// is there again.
func (c *cluster) start() error {
	// Old resource versions expire within seconds, so that a restart meets clients that are behind.
	cmd := exec.Command(clusterBinary, "--dir", c.dir, "--listen", apiAddress, "--", "--etcd-compaction-interval=5s")
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	cmd.Stdout = in
	c.process, err = launch(cmd, c.dir+".log")
	in.Close()
	if err != nil {
		return fmt.Errorf("start cluster: %w", err)
	}
	out.SetReadDeadline(time.Now().Add(5 * time.Minute))
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 3 || fields[0] != "ready" {
		c.kill()
		said, _ := os.ReadFile(c.dir + ".log")
		return fmt.Errorf("start cluster: it printed %q, want \"ready URL KUBECONFIG\": %w\n%s", line, err, said)
	}
	c.kubeconfig = fields[2]
	config, err := clientcmd.BuildConfigFromFlags("", c.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1
	config.WarningHandler = rest.NoWarnings{}
	c.client, err = kubernetes.NewForConfig(config)
	return err
}

// stop ends the control plane by the signal; after SIGTERM its exit status has to be 0.
func (c *cluster) stop(sig syscall.Signal) error {
	if err := c.signal(sig); err != nil {
		return err
	}
	if err := c.wait(2 * time.Minute); err != nil && sig != syscall.SIGKILL {
		return fmt.Errorf("end cluster: %w", err)
	}
	return nil
}

// kubectl runs the real one, as a person would.
func (c *cluster) kubectl(args ...string) error {
	args = append([]string{"--kubeconfig", c.kubeconfig, "--cache-dir", filepath.Join(c.dir, "kubectl")}, args...)
	if out, err := exec.Command(kubectlBinary, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", strings.Join(args[4:], " "), err, out)
	}
	return nil
}

// installBase applies deploy/base, with the right to the Secrets of every namespace, and returns the file of a kubeconfig with the rights of its
// ServiceAccount.
func installBase(c *cluster, dir string) (kubeconfig string, err error) {
	if err := c.kubectl("apply", "-k", root+"/deploy/base"); err != nil {
		return "", err
	}
	if err := c.kubectl("apply", "-f", root+"/deploy/components/secrets-cluster-wide/clusterrolebinding.yaml"); err != nil {
		return "", err
	}
	ttl := int64(3600)
	token, err := c.client.CoreV1().ServiceAccounts("sluice-system").CreateToken(context.Background(), "sluice",
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &ttl}}, metav1.CreateOptions{})
	if err != nil {
		return "", fmt.Errorf("create token: %w", err)
	}
	kubeconfig = filepath.Join(dir, "sluice.kubeconfig")
	return kubeconfig, writeKubeconfig(c, kubeconfig, token.Status.Token)
}

// writeKubeconfig copies the administrator's kubeconfig with the token instead of his certificate.
func writeKubeconfig(c *cluster, to, token string) error {
	config, err := clientcmd.LoadFromFile(c.kubeconfig)
	if err != nil {
		return fmt.Errorf("load kubeconfig: %w", err)
	}
	for name := range config.AuthInfos {
		config.AuthInfos[name] = &clientcmdapi.AuthInfo{Token: token}
	}
	return clientcmd.WriteToFile(*config, to)
}

// redirectKubeconfig writes the gateway's kubeconfig with another address of the API server.
func redirectKubeconfig(to, address string) error {
	config, err := clientcmd.LoadFromFile(shared.gatewayConfig)
	if err != nil {
		return fmt.Errorf("load kubeconfig: %w", err)
	}
	for _, cluster := range config.Clusters {
		cluster.Server = "https://" + address
	}
	return clientcmd.WriteToFile(*config, to)
}
