package nodeagent

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func node(name string, podCIDRs []string, addresses ...string) *corev1.Node {
	found := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{PodCIDRs: podCIDRs}}
	for _, address := range addresses {
		found.Status.Addresses = append(found.Status.Addresses,
			corev1.NodeAddress{Type: corev1.NodeInternalIP, Address: address})
	}
	return found
}

func TestRoutesLeadToAllOtherNodes(t *testing.T) {
	routes := wantedRoutes("one", []*corev1.Node{
		node("one", []string{"10.244.0.0/24"}, "172.18.0.2"),
		node("two", []string{"10.244.1.0/24", "fd00:10:1::/64"}, "172.18.0.3", "fc00::3"),
		node("joining", nil, "172.18.0.4"),
		node("broken", []string{"not a range"}, "172.18.0.5"),
		node("no address yet", []string{"10.244.4.0/24"}),
	})
	wanted := map[string]string{"10.244.1.0/24": "172.18.0.3", "fd00:10:1::/64": "fc00::3"}
	if len(routes) != len(wanted) {
		t.Fatalf("routes: %v", routes)
	}
	for destination, gateway := range wanted {
		if !routes[destination].Equal(net.ParseIP(gateway)) {
			t.Errorf("route to %s by %s, not %s", destination, routes[destination], gateway)
		}
	}
}

func TestConflistHasTheNodesRange(t *testing.T) {
	text, err := conflist([]string{"10.244.3.0/24", "fd00:10:3::/64"}, 1400)
	if err != nil {
		t.Fatal(err)
	}
	var read struct {
		Plugins []struct {
			Type string
			MTU  int
			IPAM struct {
				Ranges [][]struct{ Subnet string }
				Routes []struct{ Dst string }
			}
		}
	}
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	first := read.Plugins[0]
	if first.Type != "ptp" || first.MTU != 1400 || read.Plugins[1].Type != "portmap" {
		t.Errorf("plugins: %+v", read.Plugins)
	}
	if first.IPAM.Ranges[0][0].Subnet != "10.244.3.0/24" || first.IPAM.Ranges[1][0].Subnet != "fd00:10:3::/64" {
		t.Errorf("ranges: %+v", first.IPAM.Ranges)
	}
	if first.IPAM.Routes[0].Dst != "0.0.0.0/0" || first.IPAM.Routes[1].Dst != "::/0" {
		t.Errorf("routes: %+v", first.IPAM.Routes)
	}
}

func TestMasqueradeSparesThePodNetworkOfItsFamily(t *testing.T) {
	rules := masqueradeRules(true, []string{"10.244.0.0/16", "fd00:10::/56"})
	if !strings.Contains(rules, "-d 10.244.0.0/16 -j RETURN") || strings.Contains(rules, "fd00") {
		t.Errorf("rules: %s", rules)
	}
	if strings.Index(rules, "MASQUERADE --random-fully") < strings.LastIndex(rules, "RETURN") {
		t.Errorf("an exception comes after the rule: %s", rules)
	}
}

func TestReplaceFileLeavesAnEqualFileAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "conflist")
	for _, content := range []string{"a", "b"} {
		if err := replaceFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := replaceFile(path, []byte("b")); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(path)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("an equal file was replaced (%v)", err)
	}
}
