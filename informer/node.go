package informer

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"
)

// lookAtNode is how often the addresses of the interfaces are read again: one may be added while the
// gateway runs, such as a load balancer's.
const lookAtNode = 10 * time.Second

// watchNode sends the node's own addresses to the builder until ctx ends.
func (c *Controller) watchNode(ctx context.Context) {
	ticker := time.NewTicker(lookAtNode)
	defer ticker.Stop()
	var last []netip.Addr
	for {
		own, err := c.own()
		if err != nil {
			c.log.Warn("the node's own addresses cannot be read; those known last are kept from Endpoints", "error", err)
		} else if !slices.Equal(own, last) {
			c.queue.push(event{objectKey{kind: kindNode}, own})
			last = own
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// servicesInterface is the interface to which kube-proxy in its IPVS mode adds the addresses of all
// Services: they are local to the node, and lead to Pods.
const servicesInterface = "kube-ipvs0"

// ownAddresses returns the addresses of the interfaces, sorted.
func ownAddresses() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list interfaces: %w", err)
	}
	var own []netip.Addr
	for _, i := range interfaces {
		if i.Name == servicesInterface {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("list addresses of %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if network, ok := a.(*net.IPNet); ok {
				if addr, ok := netip.AddrFromSlice(network.IP); ok {
					own = append(own, addr.Unmap())
				}
			}
		}
	}
	slices.SortFunc(own, netip.Addr.Compare)
	return slices.Compact(own), nil
}
