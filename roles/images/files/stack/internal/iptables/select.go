// Package iptables chooses between the two iptables programs of the image, as a
// kind node does when it starts: rules written by one are half invisible to the
// other, so a pod in the node's network must use the node's.
package iptables

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	nft    = "/usr/lib/iptables-nft"
	legacy = "/usr/lib/iptables-legacy"
	// saving blocks where the kernel has no such tables
	patience = 5 * time.Second
)

// Select puts the folder of the programs that fit this node first in PATH.
func Select() {
	folder := choose(countRules(legacy), countRules(nft))
	// Setenv fails only on names no one could write.
	_ = os.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

// choose returns the folder of the kind of rules there are more of; legacy when
// there are as many, which is what kind does.
func choose(legacyRules, nftRules int) string {
	if legacyRules >= nftRules {
		return legacy
	}
	return nft
}

// countRules counts the rules the programs of a folder see; none when they fail.
func countRules(folder string) int {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	count := 0
	for _, program := range []string{"iptables-save", "ip6tables-save"} {
		output, err := exec.CommandContext(ctx, folder+"/"+program).Output()
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(output)) {
			if strings.HasPrefix(line, "-") {
				count++
			}
		}
	}
	return count
}
