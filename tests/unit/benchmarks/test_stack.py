"""What the stack benchmark counts, promises and writes down."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import page
from benchmarks.stack import api_writes, run

METRICS = """\
# HELP apiserver_request_total Counter of requests
apiserver_request_total{code="200",dry_run="",resource="pods",subresource="",verb="GET"} 50
apiserver_request_total{code="201",dry_run="",resource="pods",subresource="",verb="POST"} 3
apiserver_request_total{code="409",dry_run="",resource="pods",subresource="",verb="POST"} 1e+00
apiserver_request_total{code="200",dry_run="",resource="pods",subresource="status",verb="PATCH"} 5
apiserver_request_total{code="200",dry_run="",resource="crds",subresource="status",verb="PUT"} 2
apiserver_request_total{code="200",dry_run="All",resource="pods",subresource="",verb="APPLY"} 9
apiserver_request_total{code="200",dry_run="",resource="leases",subresource="",verb="PUT"} 99
apiserver_request_total{code="200",dry_run="",resource="nodes",subresource="status",verb="PATCH"} 7
apiserver_request_duration_seconds_count{resource="pods",subresource="",verb="POST"} 8
"""


def entry(**more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "floor_up": 30.0,
        "floor_down": 2.0,
        "site_up": 36.0,
        "site_again": 5.0,
        "again_changed": 0,
        "again_writes": {},
        "change": 6.0,
        "site_down": 3.0,
    }
    return values | more


def test_writes_are_counted_without_reads_dry_runs_and_background() -> None:
    assert api_writes.served(METRICS) == Counter({"POST pods": 4, "PUT crds/status": 2})


def test_goals_take_medians_of_times_and_the_worst_of_what_must_be_zero() -> None:
    rounds = [
        entry(),
        entry(floor_up=50.0, site_up=57.0, again_changed=1),
        entry(site_up=60.0, again_writes={"POST pods": 2}),
    ]
    assert [(goal.measured, goal.met) for goal in run.goals(rounds)] == [
        (7.0, True),
        (5.0, True),
        (1, False),
        (2, False),
        (6.0, True),
        (3.0, True),
    ]


def test_page_is_rewritten_between_its_markers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, end = "<!-- stack:begin -->", "<!-- stack:end -->"
    readme = tmp_path / "README.md"
    readme.write_text(f"above\n{begin}\nold\n{end}\nbelow\n")
    monkeypatch.setattr(page, "PAGE", readme)
    monkeypatch.setattr(run, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "timed", lambda command, environment: (0.1, "a version\n"))
    node = {"reference": "node:1", "labels": {"com.imooc.images.versions": "kind=v0.33.0"}}
    rounds = [entry()]

    run.write(rounds, run.goals(rounds), {"images": {"node": node}})

    (results,) = tmp_path.glob("*.json")
    text = readme.read_text()
    assert text.startswith(f"above\n{begin}\n| promise | measured | limit | |\n")
    assert "| second run: seconds | 5 | 8 | met |" in text
    assert "Medians of 1 rounds: floor up 30.0 s, `site.yml` 36.0 s" in text
    assert text.endswith(f"Raw: [{results.name}](stack/results/{results.name})\n{end}\nbelow\n")
