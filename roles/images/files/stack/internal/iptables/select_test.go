package iptables

import "testing"

func TestTheKindWithMoreRulesIsChosen(t *testing.T) {
	for _, given := range []struct {
		legacy, nft int
		wanted      string
	}{{0, 5, nft}, {5, 1, legacy}, {0, 0, legacy}} {
		if got := choose(given.legacy, given.nft); got != given.wanted {
			t.Errorf("%d legacy and %d nft rules: %s", given.legacy, given.nft, got)
		}
	}
}
