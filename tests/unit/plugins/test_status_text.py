"""The screen: what it says, and that it is one screen."""

from __future__ import annotations

import pytest
from ansible.module_utils.status_text import LINES, WIDTH, render

from tests.unit.plugins import status_facts

FINDING = {"part": "operator", "problem": "nobody is there " * 9, "cure": "make up"}


def test_all_parts_are_told() -> None:
    text = render(status_facts.told(status_facts.up()), "state/lab/report.html", "state/lab/s.json")
    assert text.splitlines() == [
        "environment lab: up",
        "-------------------",
        "engine       26.1.5, overlay2, 2 CPUs, 24 GiB",
        "cluster      Kubernetes v1.37.2, 1 of 1 nodes ready",
        "registry     busybox",
        "operator     2 of 2 available, op-a leads, 25 passes, 99 % within 10 ms, queue 0",
        "resources    default/example-imoocpod 3 of 3 ready",
        "etcd         423 keys at revision 1705: k0s 40, k1s 39, k2s 38, k3s 37, and 16 more",
        "last run     22 s, began 1 min 0 s ago, changed cluster",
        "drift        not looked at yet: make drift",
        "as a page    state/lab/report.html",
        "as data      state/lab/s.json",
    ]


def test_what_is_wrong_comes_first_with_its_cure() -> None:
    facts = status_facts.told(status_facts.spoilt("no operator"), "degraded", [FINDING])
    lines = render(facts, "p", "d").splitlines()
    assert lines[0] == "environment lab: degraded"
    assert lines[2].startswith("wrong        nobody is there nobody")
    assert lines[4] == "             -> make up"
    assert "operator     there is none" in lines


@pytest.mark.parametrize("name", status_facts.SPOILT)
def test_it_is_one_screen_of_plain_text(name: str) -> None:
    facts = status_facts.told(status_facts.spoilt(name), "degraded", [FINDING] * 5)
    lines = render(facts, "p", "d").splitlines()
    assert len(lines) <= LINES
    assert max(map(len, lines)) <= WIDTH
    assert all(line.isascii() for line in lines)
    assert "             and 2 more" in lines


@pytest.mark.parametrize(("count", "told"), [(0, "no differences"), (2, "2 differences")])
def test_drift_is_counted(count: int, told: str) -> None:
    facts = status_facts.told(status_facts.up())
    facts["drift"] = {"time": "2026-11-24T11:59:00+00:00", "differences": [{}] * count}
    line = f"drift        {told}, looked 1 min 0 s ago"
    assert line in render(facts, "", "").splitlines()


def test_of_nothing_nothing_is_told() -> None:
    facts = status_facts.told(status_facts.spoilt("nothing"), "absent", [FINDING])
    assert len(render(facts, "", "").splitlines()) == 5


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"failed": "cr"}, "failed in step cr, began 1 min 0 s ago"),
        (
            {"ended": None},
            "goes on still, or was interrupted after step cluster, began 1 min 0 s ago",
        ),
        (
            {"ended": None, "steps": []},
            "goes on still, or was interrupted, began 1 min 0 s ago",
        ),
        ({"steps": []}, "0.0 s, began 1 min 0 s ago, changed nothing"),
    ],
)
def test_a_run_that_did_not_end_well_says_so(change: status_facts.Facts, told: str) -> None:
    facts = status_facts.told(status_facts.up())
    facts["run"] |= change
    assert f"last run     {told}" in render(facts, "", "").splitlines()
