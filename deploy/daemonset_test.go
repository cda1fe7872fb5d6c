package deploy

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestDaemonSet holds the lines that are easily lost in an edit, each with what breaks then.
func TestDaemonSet(t *testing.T) {
	ds := find[*appsv1.DaemonSet](t)
	pod := ds.Spec.Template.Spec
	if len(pod.Containers) != 1 {
		t.Fatalf("%d containers, want 1", len(pod.Containers))
	}
	c := pod.Containers[0]
	rolling := ds.Spec.UpdateStrategy.RollingUpdate
	if c.SecurityContext == nil || c.SecurityContext.Capabilities == nil || pod.SecurityContext == nil || rolling == nil {
		t.Fatal("a security context or the rolling update is missing")
	}
	conf := baseConfig(t)
	rows := []struct {
		ok     bool
		breaks string
	}{
		{maps.Equal(ds.Spec.Selector.MatchLabels, ds.Spec.Template.Labels),
			"the selector finds no Pod"},
		{pod.HostNetwork, "clients reach the node, not the Pod"},
		{len(c.Ports) == 0, "a container port is a host port, and blocks the surge Pod of an update"},
		{pod.DNSPolicy == corev1.DNSClusterFirstWithHostNet, "ExternalName Services inside the cluster do not resolve"},
		{ds.Spec.UpdateStrategy.Type == appsv1.RollingUpdateDaemonSetStrategyType &&
			rolling.MaxSurge.IntValue() == 1 && rolling.MaxUnavailable.IntValue() == 0,
			"a node is without a gateway during an update"},
		{ds.Spec.MinReadySeconds >= 10, "the old Pod stops on the strength of a probe that it answered itself"},
		{is(pod.SecurityContext.RunAsNonRoot, true) && is(pod.SecurityContext.RunAsUser, 65532) && is(pod.SecurityContext.RunAsGroup, 65532),
			"the process runs as root, or as another user than its predecessor, with whom it shares SO_REUSEPORT sockets"},
		{pod.SecurityContext.SeccompProfile != nil && pod.SecurityContext.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
			"every system call is allowed"},
		{is(c.SecurityContext.ReadOnlyRootFilesystem, true), "the file system can be written"},
		{is(c.SecurityContext.AllowPrivilegeEscalation, false), "no_new_privs is off"},
		{slices.Equal(c.SecurityContext.Capabilities.Drop, []corev1.Capability{"ALL"}) &&
			slices.Equal(c.SecurityContext.Capabilities.Add, []corev1.Capability{"NET_BIND_SERVICE"}),
			"ports 80 and 443 cannot be bound, or more is allowed than that"},
		{pod.TerminationGracePeriodSeconds != nil &&
			time.Duration(*pod.TerminationGracePeriodSeconds)*time.Second >= conf.DrainTimeout()+5*time.Second,
			"the kubelet kills the process before shutdown.drain_seconds are over"},
		{len(pod.Tolerations) > 0, "control-plane nodes have no gateway"},
		{pod.PriorityClassName != "", "a full node evicts its gateway"},
		{!c.Resources.Requests.Cpu().IsZero() && !c.Resources.Requests.Memory().IsZero(), "the scheduler knows nothing of the gateway's needs"},
		{c.Resources.Limits.Cpu().IsZero(), "CPU throttling stops whole event loops"},
		{conf.Listen.Admin == "" && strings.HasPrefix(conf.Listen.AdminSocket, "/tmp/"),
			"every process of the node can ask for profiles, or nobody can ask the gateway"},
		{conf.Threads > 0, "a node's number of CPUs decides the number of loops, as no CPU limit does"},
	}
	for _, row := range rows {
		if !row.ok {
			t.Errorf("base/daemonset.yaml, or the configuration beside it: %s", row.breaks)
		}
	}
}

func TestProbesReachTheMetricsListener(t *testing.T) {
	_, port, err := net.SplitHostPort(baseConfig(t).Listen.Metrics)
	if err != nil {
		t.Fatalf("listen.metrics: %v", err)
	}
	c := find[*appsv1.DaemonSet](t).Spec.Template.Spec.Containers[0]
	for _, row := range []struct {
		name, path string
		probe      *corev1.Probe
	}{
		{"startup", "/healthz", c.StartupProbe},
		{"liveness", "/healthz", c.LivenessProbe}, // never /readyz: a drain or a lost API server must not restart it
		{"readiness", "/readyz", c.ReadinessProbe},
	} {
		switch {
		case row.probe == nil || row.probe.HTTPGet == nil:
			t.Errorf("%s: no HTTP probe", row.name)
		case row.probe.HTTPGet.Path != row.path:
			t.Errorf("%s: path %s, want %s", row.name, row.probe.HTTPGet.Path, row.path)
		case row.probe.HTTPGet.Host != "127.0.0.1":
			t.Errorf("%s: host %q: where others connect too, they can have the Pod killed", row.name, row.probe.HTTPGet.Host)
		case strconv.Itoa(row.probe.HTTPGet.Port.IntValue()) != port:
			t.Errorf("%s: port %s, but listen.metrics is on %s", row.name, row.probe.HTTPGet.Port.String(), port)
		}
	}
}

// TestReferences follows every name from one object of the base to another.
func TestReferences(t *testing.T) {
	ds := find[*appsv1.DaemonSet](t)
	account := find[*corev1.ServiceAccount](t)
	namespace := find[*corev1.Namespace](t).Name
	pod := ds.Spec.Template.Spec
	for _, o := range []metav1.Object{ds, account, find[*corev1.ConfigMap](t)} {
		if o.GetNamespace() != namespace {
			t.Errorf("%s is in namespace %q, not %q", o.GetName(), o.GetNamespace(), namespace)
		}
	}
	if pod.ServiceAccountName != account.Name || !is(pod.AutomountServiceAccountToken, true) {
		t.Errorf("the Pod does not run as %s with its token", account.Name)
	}
	volumes := map[string]corev1.Volume{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = v
		if v.ConfigMap != nil && v.ConfigMap.Name != find[*corev1.ConfigMap](t).Name {
			t.Errorf("volume %s is of an unknown ConfigMap %s", v.Name, v.ConfigMap.Name)
		}
	}
	for _, m := range pod.Containers[0].VolumeMounts {
		if _, ok := volumes[m.Name]; !ok {
			t.Errorf("mount of an unknown volume %s", m.Name)
		}
		if m.SubPath != "" {
			t.Errorf("mount %s has a subPath: edits of the ConfigMap would not arrive", m.Name)
		}
	}
	roles := map[string]bool{}
	for _, r := range findAll[*rbacv1.ClusterRole](t) {
		roles[r.Name] = true
	}
	for _, b := range findAll[*rbacv1.ClusterRoleBinding](t) {
		if !roles[b.RoleRef.Name] {
			t.Errorf("binding %s: no ClusterRole %s", b.Name, b.RoleRef.Name)
		}
		delete(roles, b.RoleRef.Name)
		for _, s := range b.Subjects {
			if s.Kind != "ServiceAccount" || s.Name != account.Name || s.Namespace != account.Namespace {
				t.Errorf("binding %s: subject %s %s/%s is not our ServiceAccount", b.Name, s.Kind, s.Namespace, s.Name)
			}
		}
	}
	for _, b := range findAll[*rbacv1.RoleBinding](t) {
		delete(roles, b.RoleRef.Name) // TestSecretsAreNotBoundClusterWide has the rest
	}
	for name := range roles {
		t.Errorf("ClusterRole %s is bound to nobody", name)
	}
}

func TestClassIsTheConfiguredOne(t *testing.T) {
	class, conf := find[*networkingv1.IngressClass](t), baseConfig(t).Kubernetes
	if class.Name != conf.IngressClass || !slices.Contains(conf.Controllers, class.Spec.Controller) {
		t.Errorf("IngressClass %s of %s; the configuration serves %s of %v",
			class.Name, class.Spec.Controller, conf.IngressClass, conf.Controllers)
	}
}

// is compares an optional field with a value.
func is[T comparable](field *T, want T) bool { return field != nil && *field == want }
