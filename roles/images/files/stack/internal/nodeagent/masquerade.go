package nodeagent

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
)

const masqueradeChain = "POD-MASQUERADE"

// syncMasquerade gives traffic of this node's pods to anywhere outside the pod
// network the node's own address; between pods the addresses stay.
func syncMasquerade(ctx context.Context, podCIDRs, podSubnets []string) error {
	for _, cidr := range podCIDRs {
		ip, _, err := net.ParseCIDR(cidr)
		if err != nil {
			return fmt.Errorf("read the pod range: %w", err)
		}
		command := "ip6tables"
		if isIPv4(ip) {
			command = "iptables"
		}
		rules := masqueradeRules(isIPv4(ip), podSubnets)
		if err := call(ctx, rules, command+"-restore", "--wait", "--noflush"); err != nil {
			return err
		}
		jump := []string{"POSTROUTING", "-s", cidr, "-j", masqueradeChain}
		check := append([]string{"--wait", "-t", "nat", "-C"}, jump...)
		if call(ctx, "", command, check...) == nil {
			continue
		}
		if err := call(ctx, "", command, append([]string{"--wait", "-t", "nat", "-A"}, jump...)...); err != nil {
			return err
		}
	}
	return nil
}

// masqueradeRules is the whole chain as iptables-restore reads it: declaring the
// chain empties it, so feeding the same text again changes nothing.
func masqueradeRules(ipv4 bool, podSubnets []string) string {
	lines := []string{"*nat", ":" + masqueradeChain + " - [0:0]"}
	multicast := "ff00::/8"
	if ipv4 {
		multicast = "224.0.0.0/4"
	}
	for _, destination := range append([]string{multicast}, podSubnets...) {
		ip, _, err := net.ParseCIDR(destination)
		if err == nil && isIPv4(ip) == ipv4 {
			lines = append(lines, "-A "+masqueradeChain+" -d "+destination+" -j RETURN")
		}
	}
	lines = append(lines, "-A "+masqueradeChain+" -j MASQUERADE --random-fully", "COMMIT", "")
	return strings.Join(lines, "\n")
}

// call runs one of the iptables programs.
func call(ctx context.Context, input, name string, args ...string) error {
	command := exec.CommandContext(ctx, name, args...)
	command.Stdin = strings.NewReader(input)
	if output, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(output)))
	}
	return nil
}
