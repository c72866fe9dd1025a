"""Write the table of the stack benchmark in benchmarks/README.md from raw results."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

from benchmarks import page


def table(result: dict[str, Any]) -> str:
    """Return the goals as a Markdown table, and below it what was measured where."""
    lines = ["| promise | measured | limit | |", "| --- | ---: | ---: | --- |"]
    lines += [
        f"| {goal['promise']} | {goal['measured']:g} | {goal['limit']:g} "
        f"| {'met' if goal['met'] else '**missed**'} |"
        for goal in result["goals"]
    ]
    rounds, versions = result["rounds"], result["versions"]
    medians = ", ".join(
        f"{name} {statistics.median(entry[key] for entry in rounds):.1f} s"
        for name, key in (
            ("floor up", "floor_up"),
            ("`site.yml`", "site_up"),
            ("floor down", "floor_down"),
        )
    )
    lines += [
        "",
        f"Medians of {len(rounds)} rounds: {medians}. {result['date'][:10]}, "
        f"{result['machine']['cpus']} CPUs, Linux {result['machine']['kernel']}, "
        f"engine {versions['engine']}, {versions['ansible']}, Python {versions['python']}; "
        f"{versions['node']}.",
    ]
    return "\n".join(lines)


def write(results: Path) -> None:
    """Rewrite the part of the page between its markers from a file of raw results."""
    raw = f"Raw: [{results.name}](stack/results/{results.name})"
    page.rewrite("stack", f"{table(json.loads(results.read_text()))}\n\n{raw}")
