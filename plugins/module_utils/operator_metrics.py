"""Read what the operator exports for Prometheus: text in, the few numbers people ask for out.

Pure. The names are explained in docs/reference/operator.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Facts = dict[str, Any]

_SAMPLE = re.compile(r"^(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)", re.M)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PASSES = "controller_runtime_reconcile_time_seconds"
_WAITS = "workqueue_queue_duration_seconds"


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the text: a number, and the labels that tell of what."""

    name: str
    labels: Mapping[str, str]
    value: float


def parse(text: str) -> list[Sample]:
    """Return the samples of a text in Prometheus' format; comments and other lines are left out."""
    return [
        Sample(match["name"], dict(_LABEL.findall(match["labels"] or "")), float(match["value"]))
        for match in _SAMPLE.finditer(text)
    ]


def of_replica(text: str) -> Facts:
    """Return what one replica says of itself: bytes, seconds, and how old its oldest watch is."""
    samples = parse(text)
    ages = [sample.value for sample in _named(samples, "imooc_watch_age_seconds")]
    return {
        "memory_bytes": round(_sum(samples, "process_resident_memory_bytes")),
        "cpu_seconds": round(_sum(samples, "process_cpu_seconds_total"), 2),
        "watch_age_seconds": round(max(ages), 1) if ages else None,
    }


def of_leader(texts: Iterable[str]) -> Facts:
    """Return what the replica that leads did since it started; where none leads, what all did.

    The others' queues fill as well, and wait until one of them leads.
    """
    replicas = [parse(text) for text in texts]
    leading = [samples for samples in replicas if _sum(samples, "leader_election_master_status")]
    samples = [sample for replica in leading or replicas for sample in replica]
    passes = _named(samples, "controller_runtime_reconcile_total")
    requests = _named(samples, "rest_client_requests_total")
    running = _named(samples, "workqueue_longest_running_processor_seconds")
    return {
        "passes": _counts((sample.labels["result"], sample.value) for sample in passes),
        "pass_seconds": _histogram(samples, _PASSES),
        "queue": {
            "depth": round(_sum(samples, "workqueue_depth")),
            "added": round(_sum(samples, "workqueue_adds_total")),
            "retried": round(_sum(samples, "workqueue_retries_total")),
            "oldest_pass_seconds": round(max((s.value for s in running), default=0.0), 3),
        },
        "wait_seconds": _histogram(samples, _WAITS),
        "requests": _counts(
            (f"{sample.labels['method']} {sample.labels['code']}", sample.value)
            for sample in requests
        ),
    }


def within(histogram: Facts, share: float) -> float | None:
    """Return the least bound, in seconds, that ``share`` of what was counted stays within.

    A histogram knows no more than its bounds. None where nothing was counted, or the bound is
    infinite.
    """
    need = histogram["count"] * share
    if need:
        for bucket in histogram["buckets"]:
            if bucket["count"] >= need:
                bound: float | None = bucket["within"]
                return bound
    return None


def _histogram(samples: Sequence[Sample], name: str) -> Facts:
    """Return count, sum of seconds, and the cumulated count within each bound (None: infinite)."""
    counts: dict[float, float] = {}
    for sample in _named(samples, f"{name}_bucket"):
        bound = float(sample.labels["le"])
        counts[bound] = counts.get(bound, 0) + sample.value
    return {
        "count": round(_sum(samples, f"{name}_count")),
        "sum": round(_sum(samples, f"{name}_sum"), 6),
        "buckets": [
            {"within": None if bound == float("inf") else bound, "count": round(count)}
            for bound, count in sorted(counts.items())
        ],
    }


def _counts(pairs: Iterable[tuple[str, float]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, value in pairs:
        counts[name] = counts.get(name, 0) + round(value)
    return dict(sorted(counts.items()))


def _named(samples: Sequence[Sample], name: str) -> list[Sample]:
    return [sample for sample in samples if sample.name == name]


def _sum(samples: Sequence[Sample], name: str) -> float:
    return sum(sample.value for sample in _named(samples, name))
