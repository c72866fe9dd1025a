"""Count the writes an API server has served, from its own metrics.

Invariant: what the cluster does all by itself (leases, events, what kubelets report of nodes and
pods, tokens and access reviews) is left out by name; everything else counts, whoever wrote it.
"""

from __future__ import annotations

import re
import subprocess
from collections import Counter

WRITING_VERBS = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
BACKGROUND = frozenset(
    {
        ("leases", ""),
        ("events", ""),
        ("nodes", "status"),
        ("pods", "status"),
        ("serviceaccounts", "token"),
        ("tokenreviews", ""),
        ("subjectaccessreviews", ""),
    }
)

_SAMPLE = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def served(metrics: str) -> Counter[str]:
    """Return how many writes of each kind the metrics count; dry runs store nothing."""
    counts: Counter[str] = Counter()
    for sample in _SAMPLE.finditer(metrics):
        labels = dict(_LABEL.findall(sample["labels"]))
        what = (labels.get("resource", ""), labels.get("subresource", ""))
        if labels.get("verb") not in WRITING_VERBS or labels.get("dry_run") or what in BACKGROUND:
            continue
        counts[f"{labels['verb']} {'/'.join(part for part in what if part)}"] += int(
            float(sample["value"])
        )
    return counts


def read(kubectl: list[str]) -> Counter[str]:
    """Return the writes served so far by the cluster that this kubectl command talks to."""
    answer = subprocess.run(
        [*kubectl, "get", "--raw", "/metrics"],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return served(answer.stdout)
