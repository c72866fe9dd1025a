"""What was measured, as a table: medians, and ours as a ratio to the peer it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Measured = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One measure: how to read it from what one life brought."""

    measure: str
    read: Callable[[Measured], float | None]
    digits: int


def _plain(key: str) -> Callable[[Measured], float | None]:
    return lambda measured: measured.get(key)


def _percentile(key: str, percent: int) -> Callable[[Measured], float | None]:
    def read(measured: Measured) -> float | None:
        values = measured.get(key)
        return statistics.quantiles(values, n=100)[percent - 1] if values else None

    return read


ROWS = (
    Row("P1 from zero until the last status is right, s", _plain("P1_s"), 2),
    Row("P1 CPU seconds of the operator", _plain("P1_cpu_s"), 2),
    Row("P2 pod deleted → replaced, p50 ms", _percentile("P2_replaced_ms", 50), 2),
    Row("P2 pod deleted → replaced, p99 ms", _percentile("P2_replaced_ms", 99), 2),
    Row("P2 pod deleted → status right, p50 ms", _percentile("P2_right_ms", 50), 2),
    Row("P2 pod deleted → status right, p99 ms", _percentile("P2_right_ms", 99), 2),
    Row("P3 exec → vanished pods are back, s", _plain("P3_s"), 2),
    Row("P3 most pods above the number wanted", _plain("P3_most_over"), 0),
    Row("P4 API requests per object", _plain("P4_requests"), 2),
    Row("P5 requests in idle time", _plain("P5_requests"), 0),
    Row("P5 CPU seconds in idle time", _plain("P5_cpu_s"), 3),
    Row("P6 resident MiB with nothing", _plain("P6_nothing_mib"), 1),
    Row("P6 resident MiB, 1,000 objects and 3,000 pods", _plain("P6_small_mib"), 1),
    Row("P6 resident MiB, 10,000 pods", _plain("P6_large_mib"), 1),
    Row("P6 resident MiB after a tenth of the churn", _plain("P6_churn_begun_mib"), 1),
    Row("P6 resident MiB after all of it", _plain("P6_churned_mib"), 1),
    Row("P7 exec → first pod, s", _plain("P7_first_pod_s"), 2),
    Row("P7 exec → first pod, 10,000 pods to list, s", _plain("P7_first_pod_of_many_s"), 2),
    Row("P10 3 → 10 pods, s", _plain("P10_up_s"), 2),
    Row("P10 10 → 0 pods, s", _plain("P10_down_s"), 2),
)


def medians(rounds: list[Measured], row: Row) -> dict[str, float]:
    """Return the median over the rounds for each peer that was measured so."""
    values: dict[str, list[float]] = {}
    for measured in rounds:
        for peer, life in measured.items():
            if (value := row.read(life)) is not None:
                values.setdefault(peer, []).append(value)
    return {peer: statistics.median(numbers) for peer, numbers in values.items()}


def ratio(rounds: list[Measured], row: Row, peer: str) -> float | None:
    """Return the median of ours divided by the peer, round by round: drift falls out."""
    ratios = []
    for measured in rounds:
        if "ours" in measured and peer in measured:
            ours, theirs = row.read(measured["ours"]), row.read(measured[peer])
            if ours is not None and theirs:
                ratios.append(ours / theirs)
    return statistics.median(ratios) if ratios else None


def text(result: Mapping[str, Any]) -> str:
    """Return the table as Markdown: values, and in brackets ours divided by the peer's."""
    rounds = result["rounds"]
    peers = [name for name in result["peers"] if any(name in measured for measured in rounds)]
    lines = [
        f"| measure | {' | '.join(peers)} |",
        f"| --- |{' ---: |' * len(peers)}",
    ]
    for row in ROWS:
        values = medians(rounds, row)
        if not values:
            continue
        cells = []
        for peer in peers:
            cell = f"{values[peer]:.{row.digits}f}" if peer in values else ""
            if peer != "ours" and (share := ratio(rounds, row, peer)) is not None:
                cell += f" ({share:.2f})"
            cells.append(cell)
        lines.append(f"| {row.measure} | {' | '.join(cells)} |")
    return "\n".join(lines)


def brief(measured: Measured) -> str:
    """Return one line of what a life brought."""
    known = ((row, row.read(measured)) for row in ROWS)
    return ", ".join(
        f"{row.measure.split()[0]} {value:.{row.digits}f}"
        for row, value in known
        if value is not None
    )
