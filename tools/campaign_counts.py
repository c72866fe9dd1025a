#!/usr/bin/env python3
"""Hold the counts on the page of failures to the last whole campaign, or write them there.

    python tools/campaign_counts.py .cache/campaign.json [--write]

`make campaign` compares: every plan passed, and the page has the same kinds of plans, as many of
each. A tenth more or less is no difference: where there is a crash at each write, two changes may
share one.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/design/failures.md"

TOLERANCE = 0.1


@dataclass(frozen=True)
class Counts:
    """How many plans of each kind there were: what its name has before the colon."""

    name: str
    """Of the block on the page: the long campaign has one of its own."""
    run: Mapping[str, int]
    passed: Mapping[str, int]


def read(report: str) -> Counts:
    """Return the counts in a report, as the campaign writes it to IMOOC_CAMPAIGN_REPORT."""
    content = json.loads(report)
    run: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    for plan, counts in content["plans"].items():
        kind = plan.partition(":")[0]
        run[kind] += counts["run"]
        passed[kind] += counts["passed"]
    return Counts("long campaign" if content["long"] else "campaign", run, passed)


def table(counts: Counts) -> str:
    """Return the Markdown table of a campaign."""
    rows = [f"| {kind} | {run} | {counts.passed[kind]} |" for kind, run in counts.run.items()]
    total = f"| **all** | {sum(counts.run.values())} | {sum(counts.passed.values())} |"
    return "\n".join(["| plans | run | passed |", "| --- | ---: | ---: |", *rows, total])


def shown(page: str, name: str) -> dict[str, int]:
    """Return how many plans of each kind were run, by the table on the page."""
    rows = [line.strip("| ").split(" | ") for line in _split(page, name)[1].splitlines()]
    return {
        row[0]: int(row[1]) for row in rows if row[1:] and row[1].isdigit() and row[0][0] != "*"
    }


def page_with(page: str, counts: Counts, day: str) -> str:
    """Return the page with the counts of `day` in their block."""
    before, _, after = _split(page, counts.name)
    return f"{before}\n{table(counts)}\n\n{day}.\n{after}"


def differences(page: str, counts: Counts) -> list[str]:
    """Return what keeps the page from being true, as one line each."""
    found = [
        f"{kind}: {counts.passed[kind]} of {run} passed"
        for kind, run in counts.run.items()
        if counts.passed[kind] != run
    ]
    said = shown(page, counts.name)
    for kind in {**said, **counts.run}:
        there, now = said.get(kind, 0), counts.run.get(kind, 0)
        if abs(there - now) > TOLERANCE * min(there, now):
            found.append(f"{kind}: {now} plans were run, the page says {there}")
    return found


def main() -> int:
    """Return 1 when the page is not true and was not to be written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("--write", action="store_true", help="write the page instead")
    options = parser.parse_args()
    counts = read(options.report.read_text())
    page = PAGE.read_text()
    if options.write:
        PAGE.write_text(page_with(page, counts, str(datetime.now(UTC).date())))
        return 0
    found = differences(page, counts)
    if found:
        cure = f"python {sys.argv[0]} {options.report} --write"
        print("\n".join([*found, f"Once it is meant to be so: {cure}"]), file=sys.stderr)
    return 1 if found else 0


def _split(page: str, name: str) -> tuple[str, str, str]:
    """Return what is before, between and after the markers, which stay outside."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    before, _, rest = page.partition(begin)
    between, _, after = rest.partition(end)
    return before + begin, between, end + after


if __name__ == "__main__":
    sys.exit(main())
