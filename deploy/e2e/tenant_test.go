package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A namespace's objects, on a real API server, must not reach the node, and must not harm another namespace.

// TestTenantReachesNoNode: neither an address nor a name leads to what listens on the node's loopback, or
// to the metadata of a cloud, however the answer for the name changes.
func TestTenantReachesNoNode(t *testing.T) {
	s := newSpace(t)
	p := startPod(t, "p")
	_, port, err := net.SplitHostPort(shared.gateway.admin)
	if err != nil {
		t.Fatal(err)
	}
	name := "api." + s.name + ".dns.test"
	setName(name, "127.0.0.1")
	s.externalName("address", "127.0.0.1")
	s.externalName("metadata", "169.254.169.254")
	s.externalName("name", name)
	for host, backend := range map[string]string{"address": "address:" + port, "metadata": "metadata:80", "name": "name:" + port, "pod": "name:" + podPort} {
		ing := s.newIngress(host, s.host(host)+" / Prefix "+backend)
		ing.Annotations = map[string]string{"nginx.ingress.kubernetes.io/upstream-vhost": "localhost"}
		s.createIngress(ing)
	}
	s.awaitRejection("address", "backend", "127.0.0.1 (loopback)")
	s.awaitRejection("metadata", "backend", "169.254.169.254 (link-local")
	resolvesTo := func(says string) {
		t.Helper()
		eventually(t, "Rejection of the Service: "+says, func() (bool, string) {
			list, err := shared.gateway.rejections()
			s.must("read rejections", err)
			for _, r := range list {
				if r.Kind == "Service" && r.Namespace == s.name && r.Name == "name" && strings.Contains(r.Reason, says) {
					return true, ""
				}
			}
			return false, fmt.Sprint(list)
		})
	}
	closed := func() {
		t.Helper()
		for _, host := range []string{"address", "metadata", "name", "pod"} {
			check(t, s.host(host), "/debug/routes", "503")
		}
	}
	resolvesTo("127.0.0.1 (loopback)")
	closed()
	setName(name, "169.254.169.254")
	resolvesTo("169.254.169.254 (link-local")
	closed()
	// The name is served while it leads to a Pod, and no longer afterwards.
	setName(name, p.address)
	await(t, shared.gateway, s.host("pod"), "/", "200 p")
	setName(name, "127.0.0.1")
	resolvesTo("127.0.0.1 (loopback)")
	closed()

	// Loopback is no proof of identity.
	token := shared.gateway.token
	shared.gateway.token = "/dev/null"
	status, body, err := shared.gateway.ask(shared.gateway.admin, "/debug/routes")
	if shared.gateway.token = token; status != 401 || err != nil {
		t.Errorf("the admin plane without a token: %d %q %v", status, body, err)
	}
}

// younger creates an Ingress that is younger than another one, by the seconds that the API counts.
func (s *space) younger(than *networkingv1.Ingress, ing *networkingv1.Ingress) {
	s.t.Helper()
	all := s.api().NetworkingV1().Ingresses(s.name)
	eventually(s.t, "younger Ingress", func() (bool, string) {
		made, err := all.Create(context.Background(), ing, metav1.CreateOptions{})
		s.must("create ingress", err)
		if made.CreationTimestamp.After(than.CreationTimestamp.Time) {
			return true, ""
		}
		s.must("delete ingress", all.Delete(context.Background(), ing.Name, metav1.DeleteOptions{}))
		return false, "one of the same second"
	})
}

// TestTenantDecidesNothing: a younger object of another namespace changes nothing of a host for the owner's
// clients: access, redirects, certificate, cipher suites.
func TestTenantDecidesNothing(t *testing.T) {
	shop, evil := newSpace(t), newSpace(t)
	shop.web("a", startPod(t, "a"))
	evil.web("b", startPod(t, "b"))
	host := shop.host("shop")
	ca := newAuthority(t, "ca")
	shop.secret("pair", corev1.SecretTypeTLS, ca.pair(21, host))
	evil.secret("pair", corev1.SecretTypeTLS, ca.pair(66, host))
	evil.secret("clients", corev1.SecretTypeOpaque, map[string][]byte{"ca.crt": pemOf("CERTIFICATE", ca.cert.Raw)})
	shop.createIngress(shop.secureIngress("shop", "pair", host, "a:80"))
	victim, err := shop.api().NetworkingV1().Ingresses(shop.name).Get(context.Background(), "shop", metav1.GetOptions{})
	shop.must("get ingress", err)
	await(t, shared.gateway, host, "/", "200 a")
	awaitSerial(t, host, 21)

	fine := func() {
		t.Helper()
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			c := newSecureClient(&tls.Config{InsecureSkipVerify: true, MinVersion: version, MaxVersion: version})
			if got := c.get(t, host); got != "HTTP/2.0 200 a" {
				t.Errorf("over TLS %x: %s", version, got)
			}
		}
		if got := serial(t, host); got != 21 {
			t.Errorf("certificate %d is shown", got)
		}
	}
	for _, attack := range []struct {
		name        string
		annotations map[string]string
		field, says string
	}{
		{"closes", map[string]string{"auth-tls-foo": "1"}, "spec.rules", "belongs to another namespace"},
		{"redirects", map[string]string{"auth-tls-secret": "clients", "auth-tls-error-page": "https://evil.test/"}, "spec.rules", "belongs to another namespace"},
		{"ciphers", map[string]string{"ssl-ciphers": "AES128-SHA"}, "spec.rules", "belongs to another namespace"},
		{"passthrough", map[string]string{"ssl-passthrough": "true"}, "spec.rules", "has no effect on this host"},
		{"certificate", nil, "secretName", "belongs to another namespace"},
	} {
		ing := evil.newIngress(attack.name, host+" /zzz Prefix b:80")
		ing.Annotations = map[string]string{}
		for key, value := range attack.annotations {
			ing.Annotations["nginx.ingress.kubernetes.io/"+key] = value
		}
		if attack.annotations == nil {
			ing.Spec.TLS = []networkingv1.IngressTLS{{Hosts: []string{host}, SecretName: "pair"}}
		}
		evil.younger(victim, ing)
		evil.awaitRejection(attack.name, attack.field, attack.says)
		fine()
		for _, r := range evil.rejectionsOf(attack.name) {
			if strings.Contains(r.Reason, shop.name+"/") {
				t.Errorf("%s: the Rejection names the other namespace: %s", attack.name, r.Reason)
			}
		}
		if len(shop.rejectionsOf("shop")) != 0 {
			t.Errorf("%s: %v", attack.name, shop.rejectionsOf("shop"))
		}
		if attack.name == "closes" || attack.name == "redirects" {
			check(t, host, "/zzz", "503")
		}
		evil.deleteIngress(attack.name)
	}
	fine()
}

// TestTenantLetsSecretsBeRead: with the rights of deploy/base alone no namespace's Secrets are read until the
// namespace grants that, for those that it names or for all, and others are served meanwhile.
func TestTenantLetsSecretsBeRead(t *testing.T) {
	ctx := context.Background()
	named, all := newSpace(t), newSpace(t)
	api := named.api()
	account := rbacv1.Subject{Kind: "ServiceAccount", Name: "narrow", Namespace: "sluice-system"}
	_, err := api.CoreV1().ServiceAccounts(account.Namespace).Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account.Name}}, metav1.CreateOptions{})
	named.must("create account", err)
	_, err = api.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "narrow"}, Subjects: []rbacv1.Subject{account},
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "sluice"},
	}, metav1.CreateOptions{})
	named.must("bind role", err)
	ttl := int64(3600)
	token, err := api.CoreV1().ServiceAccounts(account.Namespace).CreateToken(ctx, account.Name,
		&authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: &ttl}}, metav1.CreateOptions{})
	named.must("create token", err)
	kubeconfig := filepath.Join(shared.dir, "narrow.kubeconfig")
	if err := writeKubeconfig(shared.cluster, kubeconfig, token.Status.Token); err != nil {
		t.Fatal(err)
	}

	ca := newAuthority(t, "ca")
	for i, s := range []*space{named, all} {
		s.web("a", startPod(t, "a"))
		s.secret("pair", corev1.SecretTypeTLS, ca.pair(int64(31+i), s.host("x")))
		s.createIngress(s.secureIngress("x", "pair", s.host("x"), "a:80"))
	}
	g := startGateway(t, gatewayOptions{name: "narrow", port: 8480, kubeconfig: kubeconfig})
	shown := func(s *space) int64 {
		c, err := tls.Dial("tcp", g.secure, &tls.Config{ServerName: s.host("x"), InsecureSkipVerify: true})
		s.must("shake hands", err)
		defer c.Close()
		cert := c.ConnectionState().PeerCertificates[0]
		if cert.Subject.CommonName == "Sluice default certificate" {
			return 0
		}
		return cert.SerialNumber.Int64()
	}
	for _, s := range []*space{named, all} {
		await(t, g, s.host("x"), "/", "200 a")
		eventually(t, "Rejection that says what to bind", func() (bool, string) {
			list, err := g.rejections()
			s.must("read rejections", err)
			for _, r := range list {
				if r.Namespace == s.name && r.Name == "x" && strings.Contains(r.Reason, "kubectl -n "+s.name+" create rolebinding sluice-secrets") {
					return true, ""
				}
			}
			return false, fmt.Sprint(list)
		})
		if got := shown(s); got != 0 {
			t.Errorf("%s: certificate %d without a right", s.name, got)
		}
	}
	// The commands of deploy/base/clusterrole.yaml, for this account.
	bound := "--serviceaccount=" + account.Namespace + ":" + account.Name
	for _, command := range []string{
		"-n " + named.name + " create role sluice-secrets --verb=get,list,watch --resource=secrets --resource-name=pair",
		"-n " + named.name + " create rolebinding sluice-secrets --role=sluice-secrets " + bound,
		"-n " + all.name + " create rolebinding sluice-secrets --clusterrole=sluice-secrets " + bound,
	} {
		if err := shared.cluster.kubectl(strings.Fields(command)...); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range []*space{named, all} {
		eventually(t, "certificate of "+s.name, func() (bool, string) { got := shown(s); return got == int64(31+i), fmt.Sprint(got) })
	}
	named.setSecret("pair", ca.pair(33, named.host("x")))
	eventually(t, "renewed certificate", func() (bool, string) { got := shown(named); return got == 33, fmt.Sprint(got) })
}
