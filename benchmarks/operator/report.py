"""Keeps the results of a run: raw, as plots, and as the table in benchmarks/README.md."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.operator import plot, summary, table

RESULTS = Path(__file__).parent / "results"

_TAIL = 99
"""Percent of the latencies that the plot shows: the rest would squeeze it to the left."""


def write(result: Mapping[str, Any]) -> None:
    """Write files named after the date, and rewrite the page between its markers."""
    RESULTS.mkdir(exist_ok=True)
    stem = str(result["date"])[:16].replace(":", "")
    (RESULTS / f"{stem}.json").write_text(json.dumps(result, indent=1) + "\n")
    images = []
    for name, title, svg in plots(result["rounds"]):
        (RESULTS / f"{stem}-{name}.svg").write_text(svg)
        images.append(f"![{title}](operator/results/{stem}-{name}.svg)")
    raw = f"Raw: [{stem}.json](operator/results/{stem}.json)"
    page.rewrite("operator", "\n\n".join([table.text(result), facts(result), *images, raw]))
    for path, language in summary.PAGES.items():
        page.rewrite("operator", summary.text(result, language), path)


def facts(result: Mapping[str, Any]) -> str:
    """Return what was measured where, and how much of it."""
    machine, versions, sizes = result["machine"], result["versions"], result["sizes"]
    amounts = {
        "P1": f"{sizes['owners']:,} objects of 3 pods each",
        "P2": f"{sizes['deletions']} deletions (P2)",
        "P3": f"{sizes['vanished']} pods vanished (P3)",
        "P5": f"{sizes['idle']:g} s idle (P5)",
        "P6-churn": f"{sizes['events']:,} events of {sizes['pods']:,} pods (churn)",
        "P10": f"{sizes['scaled']} objects scaled (P10)",
    }
    missing = ", ".join(result["missing"])
    late = {
        f"{peer}, {measure}: {why.partition(';')[0]}"
        for lives in result["rounds"]
        for peer, life in lives.items()
        for measure, why in life.get("late", {}).items()
    }
    return (
        f"Medians of {len(result['rounds'])} rounds; a ratio is the median of the rounds' own. "
        f"{', '.join(text for name, text in amounts.items() if name in result['measures'])}. "
        f"{f'Not in this run: {missing}. ' if missing else ''}"
        f"{''.join(f'{text}. ' for text in sorted(late))}"
        f"{result['date'][:10]}, {machine['cpus']} CPUs, Linux {machine['kernel']}, "
        f"{versions['kubernetes']}, {versions['etcd']}, {versions['go']}, "
        f"Python {versions['python']}."
    )


def plots(rounds: table.Rounds) -> list[tuple[str, str, str]]:
    """Return name, title and SVG of each plot."""
    return [
        _plot("latency", "Pod deleted until replaced", "ms", "% of deletions", latencies(rounds)),
        _plot("pods", "Pods over time, from zero", "s", "pods", pods(rounds)),
        _plot("memory", "Memory over objects", "pods", "resident MiB", memory(rounds)),
    ]


def latencies(rounds: table.Rounds) -> dict[str, plot.Points]:
    """Return for each peer how many percent of all replacements took at most how long."""
    all_of: dict[str, list[float]] = {}
    for lives in rounds:
        for peer, life in lives.items():
            all_of.setdefault(peer, []).extend(life.get("P2_replaced_ms", ()))
    curves: dict[str, plot.Points] = {}
    for peer, values in all_of.items():
        ordered = sorted(values)
        shares = range(1, _TAIL + 1)
        if ordered:
            curves[peer] = [(ordered[len(ordered) * share // 100], share) for share in shares]
    return curves


def pods(rounds: table.Rounds) -> dict[str, plot.Points]:
    """Return for each peer how its pods came in the first round."""
    return {
        peer: life["P1_pods_over_time"]
        for peer, life in rounds[0].items()
        # At its default limits the ReplicaSet controller takes thirty times as long as the others.
        if peer != "rs-default"
    }


def memory(rounds: table.Rounds) -> dict[str, plot.Points]:
    """Return for each peer its resident memory over the pods it held."""
    held = {"P6_nothing_mib": 0, "P6_small_mib": 3000, "P6_large_mib": 10_000}
    curves: dict[str, plot.Points] = {}
    for peer in rounds[0]:
        points = []
        for key, count in held.items():
            known = table.medians(rounds, table.plain(key))
            if peer in known:
                points.append((float(count), known[peer]))
        if len(points) == len(held):
            curves[peer] = points
    return curves


def _plot(
    name: str, title: str, x_label: str, y_label: str, series: dict[str, plot.Points]
) -> tuple[str, str, str]:
    return name, title, plot.lines(title, x_label, y_label, series)
