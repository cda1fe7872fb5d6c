package informer

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/sluice-gateway/sluice/informer/internal/plain"
)

// maxPortsListed bounds the ports that a Rejection lists.
const maxPortsListed = 8

// portList names the ports of a Service that an Ingress may refer to, as "80 (http), 443".
func portList(service *corev1.Service) string {
	var names []string
	for i := range service.Spec.Ports {
		p := &service.Spec.Ports[i]
		if !isTCP(&p.Protocol) || !validPort(p.Port) {
			continue
		}
		text := strconv.Itoa(int(p.Port))
		if p.Name != "" {
			text += " (" + plain.Short(p.Name) + ")"
		}
		names = append(names, text)
	}
	if len(names) == 0 {
		return "no port at all that is TCP"
	}
	list := strings.Join(names[:min(len(names), maxPortsListed)], ", ")
	if more := len(names) - maxPortsListed; more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
