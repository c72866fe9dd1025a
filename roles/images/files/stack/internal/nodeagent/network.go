package nodeagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
)

const (
	conflistPath = "/etc/cni/net.d/10-pod-network.conflist"
	// routeProtocol marks the agent's routes, so that those of nodes that left
	// can be told from everyone else's.
	routeProtocol = netlink.RouteProtocol(112)
)

// network keeps pods of all nodes reachable from this one: the CNI configuration
// of its own pod range, a route to each other node's range, and masquerading of
// what leaves the pod network.
type network struct {
	nodeName   string
	podSubnets []string
	nodes      corelisters.NodeLister
	informer   cache.SharedIndexInformer
}

func newNetwork(factory informers.SharedInformerFactory, nodeName string) *network {
	nodes := factory.Core().V1().Nodes()
	return &network{
		nodeName:   nodeName,
		podSubnets: strings.Split(os.Getenv("POD_SUBNET"), ","),
		nodes:      nodes.Lister(),
		informer:   nodes.Informer(),
	}
}

func (n *network) informers() []cache.SharedIndexInformer {
	return []cache.SharedIndexInformer{n.informer}
}

func (n *network) reconcile(ctx context.Context) error {
	nodes, err := n.nodes.List(labels.Everything())
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	own, err := n.nodes.Get(n.nodeName)
	if err != nil {
		return fmt.Errorf("find node %s: %w", n.nodeName, err)
	}
	if len(own.Spec.PodCIDRs) == 0 {
		return fmt.Errorf("node %s has no pod range yet", n.nodeName)
	}
	routeErr := syncRoutes(wantedRoutes(n.nodeName, nodes))
	masqueradeErr := syncMasquerade(ctx, own.Spec.PodCIDRs, n.podSubnets)
	if err := errors.Join(routeErr, masqueradeErr); err != nil {
		return err
	}
	// Last: kubelet calls the node ready when this file is there.
	mtu, err := linkMTU(own)
	if err != nil {
		return err
	}
	wanted, err := conflist(own.Spec.PodCIDRs, mtu)
	if err != nil {
		return err
	}
	return replaceFile(conflistPath, wanted)
}

// wantedRoutes maps the pod ranges of all other nodes to the address of the node
// that holds them, family by family.
func wantedRoutes(nodeName string, nodes []*corev1.Node) map[string]net.IP {
	routes := map[string]net.IP{}
	for _, node := range nodes {
		if node.Name == nodeName {
			continue
		}
		for _, cidr := range node.Spec.PodCIDRs {
			_, subnet, err := net.ParseCIDR(cidr)
			if err != nil {
				klog.ErrorS(err, "Ignored a pod range", "node", node.Name, "podCIDR", cidr)
				continue
			}
			for _, address := range node.Status.Addresses {
				ip := net.ParseIP(address.Address)
				if address.Type == corev1.NodeInternalIP && ip != nil && isIPv4(ip) == isIPv4(subnet.IP) {
					routes[subnet.String()] = ip
					break
				}
			}
		}
	}
	return routes
}

// syncRoutes makes the agent's routes in the main table exactly the wanted ones.
func syncRoutes(wanted map[string]net.IP) error {
	filter := &netlink.Route{Protocol: routeProtocol}
	present, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, filter, netlink.RT_FILTER_PROTOCOL)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	kept := map[string]bool{}
	for _, route := range present {
		if gateway, ok := wanted[route.Dst.String()]; ok && gateway.Equal(route.Gw) {
			kept[route.Dst.String()] = true
			continue
		}
		if err := netlink.RouteDel(&route); err != nil {
			return fmt.Errorf("delete the route to %s: %w", route.Dst, err)
		}
		klog.InfoS("Deleted route", "podCIDR", route.Dst, "gateway", route.Gw)
	}
	for destination, gateway := range wanted {
		if kept[destination] {
			continue
		}
		_, subnet, err := net.ParseCIDR(destination)
		if err != nil {
			return err
		}
		route := &netlink.Route{Dst: subnet, Gw: gateway, Protocol: routeProtocol}
		if err := netlink.RouteReplace(route); err != nil {
			return fmt.Errorf("add the route to %s by %s: %w", destination, gateway, err)
		}
		klog.InfoS("Added route", "podCIDR", destination, "gateway", gateway)
	}
	return nil
}

// conflist is the CNI configuration of this node's pods: a point-to-point link
// each, addresses of the node's own range, host ports.
func conflist(podCIDRs []string, mtu int) ([]byte, error) {
	type object = map[string]any
	var ranges [][]object
	var routes []object
	for _, cidr := range podCIDRs {
		ip, _, err := net.ParseCIDR(cidr)
		if err != nil {
			return nil, fmt.Errorf("read the pod range: %w", err)
		}
		ranges = append(ranges, []object{{"subnet": cidr}})
		everywhere := "::/0"
		if isIPv4(ip) {
			everywhere = "0.0.0.0/0"
		}
		routes = append(routes, object{"dst": everywhere})
	}
	return json.MarshalIndent(object{
		"cniVersion": "1.0.0",
		"name":       "pod-network",
		"plugins": []object{
			{
				"type": "ptp", "ipMasq": false, "mtu": mtu,
				"ipam": object{
					"type": "host-local", "dataDir": "/run/cni-ipam-state",
					"ranges": ranges, "routes": routes,
				},
			},
			{"type": "portmap", "capabilities": object{"portMappings": true}},
		},
	}, "", "  ")
}

// linkMTU is the MTU of the link that carries the node's own address: pods must
// not send larger packets than their node can.
func linkMTU(node *corev1.Node) (int, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return 0, fmt.Errorf("list links: %w", err)
	}
	for _, link := range links {
		addresses, err := netlink.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return 0, fmt.Errorf("list addresses of %s: %w", link.Attrs().Name, err)
		}
		for _, address := range addresses {
			for _, own := range node.Status.Addresses {
				if address.IP.Equal(net.ParseIP(own.Address)) {
					return link.Attrs().MTU, nil
				}
			}
		}
	}
	return 0, fmt.Errorf("no link has an address of node %s", node.Name)
}

// replaceFile writes a file whole or not at all, and only when it differs.
func replaceFile(path string, content []byte) error {
	if present, err := os.ReadFile(path); err == nil && string(present) == string(content) {
		return nil
	}
	// A name the CNI loader does not read, in the same folder for the rename.
	temporary := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	if err := os.WriteFile(temporary, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	klog.InfoS("Wrote file", "path", path)
	return nil
}

func isIPv4(ip net.IP) bool { return ip.To4() != nil }
