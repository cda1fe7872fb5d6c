package source

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"time"
)

// lookAtNode is how often the addresses of the interfaces are read again: one may be added while the
// gateway runs, such as a load balancer's.
const lookAtNode = 10 * time.Second

// WatchNode delivers the node's own addresses, as own returns them, until ctx ends.
func WatchNode(ctx context.Context, q *Queue, own func() ([]netip.Addr, error), log *slog.Logger) {
	ticker := time.NewTicker(lookAtNode)
	defer ticker.Stop()
	var last []netip.Addr
	for {
		now, err := own()
		if err != nil {
			log.Warn("the node's own addresses cannot be read; those known last are kept from Endpoints", "error", err)
		} else if !slices.Equal(now, last) {
			q.Push(Event{Key{Kind: Node}, now})
			last = now
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

// OwnAddresses returns the addresses of the interfaces, sorted.
func OwnAddresses() ([]netip.Addr, error) {
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
