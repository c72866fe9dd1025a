"""What was measured, as a table: medians, and ours held against the peers or a number.

A ratio is the median of the rounds' own ratios, so what the machine did to a whole round falls out.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Life = Mapping[str, Any]
Rounds = Sequence[Mapping[str, Life]]
Read = Callable[[Life], float | None]


@dataclass(frozen=True)
class Goal:
    """The most that ours may be: so many times what a peer has, or, without a peer, a number."""

    limit: float
    peer: str = ""

    def __str__(self) -> str:
        return f"≤ {self.limit:g} {self.peer}" if self.peer else f"≤ {self.limit:g}"


@dataclass(frozen=True)
class Row:
    """One measure: how to read it from what one life brought, and what is to be reached."""

    measure: str
    read: Read
    digits: int
    goals: tuple[Goal, ...] = ()


def plain(key: str) -> Read:
    """Return what reads one number as it was measured."""
    return lambda life: life.get(key)


def _percentile(key: str, percent: int) -> Read:
    def read(life: Life) -> float | None:
        values = life.get(key)
        return statistics.quantiles(values, n=100)[percent - 1] if values else None

    return read


def _growth(life: Life) -> float | None:
    if "P6_churned_mib" not in life:
        return None
    return float(life["P6_churned_mib"] - life["P6_churn_begun_mib"])


ROWS = (
    Row("P1 from zero until all is right, s", plain("P1_s"), 2,
        (Goal(1.1, "floor"), Goal(0.85, "go10"))),
    Row("P1 CPU s", plain("P1_cpu_s"), 2, (Goal(0.6, "go10"),)),
    Row("P1 CPU s of the API server meanwhile", plain("P1_server_cpu_s"), 2),
    Row("P2 pod deleted → replaced, p50 ms", _percentile("P2_replaced_ms", 50), 2,
        (Goal(1.1, "go10"),)),
    Row("P2 the same, p99 ms", _percentile("P2_replaced_ms", 99), 2, (Goal(1, "go10"),)),
    Row("P2 pod deleted → status right, p50 ms", _percentile("P2_right_ms", 50), 2,
        (Goal(1, "go1"),)),
    Row("P2 the same, p99 ms", _percentile("P2_right_ms", 99), 2, (Goal(1, "go1"),)),
    Row("P3 exec → vanished pods are back, s", plain("P3_s"), 2, (Goal(1, "go10"),)),
    Row("P3 most pods too many", plain("P3_most_over"), 0, (Goal(0),)),
    Row("P4 API requests per object", plain("P4_requests"), 2, (Goal(4),)),
    Row("P5 idle: requests", plain("P5_requests"), 0, (Goal(0),)),
    Row("P5 idle: CPU s", plain("P5_cpu_s"), 3, (Goal(0.02),)),
    Row("P6 resident MiB: nothing", plain("P6_nothing_mib"), 1, (Goal(30),)),
    Row("P6 1,000 objects, 3,000 pods", plain("P6_small_mib"), 1, (Goal(34),)),
    Row("P6 10,000 pods", plain("P6_large_mib"), 1, (Goal(40),)),
    Row("P6 growth over the churn, MiB", _growth, 1, (Goal(1),)),
    Row("P7 exec → first pod, s", plain("P7_first_pod_s"), 2, (Goal(0.2),)),
    Row("P7 the same with 10,000 pods to list, s", plain("P7_first_pod_of_many_s"), 2,
        (Goal(2),)),
    Row("P8 leader ended by SIGTERM → first pod, s", plain("P8_terminated_s"), 2, (Goal(1),)),
    Row("P8 leader killed → first pod, s", plain("P8_killed_s"), 1, (Goal(17),)),
    Row("P9 one pod event into the cache, µs", plain("P9_us"), 2, (Goal(5),)),
    Row("P10 3 → 10 pods, s", plain("P10_up_s"), 2, (Goal(1, "go10"),)),
    Row("P10 10 → 0 pods, s", plain("P10_down_s"), 2, (Goal(1, "go10"),)),
)  # fmt: skip


def medians(rounds: Rounds, read: Read) -> dict[str, float]:
    """Return the median over the rounds for each peer that was measured so."""
    values: dict[str, list[float]] = {}
    for lives in rounds:
        for peer, life in lives.items():
            if (value := read(life)) is not None:
                values.setdefault(peer, []).append(value)
    return {peer: statistics.median(numbers) for peer, numbers in values.items()}


def ratio(rounds: Rounds, read: Read, peer: str) -> float | None:
    """Return the median of ours divided by the peer's of the same round."""
    ratios = []
    for lives in rounds:
        ours, theirs = (read(lives[name]) if name in lives else None for name in ("ours", peer))
        if ours is not None and theirs:
            ratios.append(ours / theirs)
    return statistics.median(ratios) if ratios else None


def verdict(rounds: Rounds, row: Row) -> str:
    """Return for each goal whether it is met, and by what value."""
    parts = []
    for goal in row.goals:
        value = (
            ratio(rounds, row.read, goal.peer)
            if goal.peer
            else medians(rounds, row.read).get("ours")
        )
        if value is not None:
            digits = 2 if goal.peer else row.digits
            # As it is shown: 4.003 requests are 4.00.
            met = round(value, digits) <= goal.limit
            text = f"{value:.{digits}f}" + (f" {goal.peer}" if goal.peer else "")
            parts.append(text if met else f"**{text}**")
    return ", ".join(parts)


def text(result: Mapping[str, Any]) -> str:
    """Return all of it as Markdown; what misses its goal is in bold."""
    rounds: Rounds = result["rounds"]
    peers = [name for name in result["peers"] if any(name in lives for lives in rounds)]
    lines = [
        f"| | {' | '.join(peers)} | to reach | reached |",
        f"| --- |{' ---: |' * len(peers)} --- | --- |",
    ]
    for row in ROWS:
        values = medians(rounds, row.read)
        if not values:
            continue
        cells = [f"{values[p]:.{row.digits}f}" if p in values else "" for p in peers]
        goals = ", ".join(map(str, row.goals))
        lines.append(f"| {row.measure} | {' | '.join(cells)} | {goals} | {verdict(rounds, row)} |")
    return "\n".join(lines)


def brief(life: Life) -> str:
    """Return one line of what a life brought."""
    known = ((row, row.read(life)) for row in ROWS)
    return ", ".join(
        f"{row.measure}: {value:.{row.digits}f}" for row, value in known if value is not None
    )
