"""The counts of a campaign are those of its report, and the page is held to them."""

from __future__ import annotations

import json

import pytest

from tools import campaign_counts
from tools.campaign_counts import PAGE

EMPTY = """\
# Title
<!-- campaign:begin -->
<!-- campaign:end -->
<!-- long campaign:begin -->
<!-- long campaign:end -->
The end.
"""


def report(crashes: int = 20, passed: int | None = None, *, long: bool = False) -> str:
    plans = {
        "crash: W1": {"run": 12, "passed": 12},
        "crash: W2": {"run": crashes, "passed": crashes if passed is None else passed},
        "malice": {"run": 1, "passed": 1},
    }
    return json.dumps({"long": long, "plans": plans})


def page(text: str = EMPTY, made_of: str | None = None) -> str:
    return campaign_counts.page_with(text, campaign_counts.read(made_of or report()), "2026-01-01")


def test_plans_of_one_kind_are_one_row() -> None:
    assert page().splitlines()[1:10] == [
        "<!-- campaign:begin -->",
        "| plans | run | passed |",
        "| --- | ---: | ---: |",
        "| crash | 32 | 32 |",
        "| malice | 1 | 1 |",
        "| **all** | 33 | 33 |",
        "",
        "2026-01-01.",
        "<!-- campaign:end -->",
    ]


def test_the_long_campaign_has_its_own_table() -> None:
    both = page(page(), report(90, long=True))
    assert campaign_counts.shown(both, "campaign") == {"crash": 32, "malice": 1}
    assert campaign_counts.shown(both, "long campaign") == {"crash": 102, "malice": 1}
    assert page(both) == page(page(), report(90, long=True)), "written again, it is the same"
    assert both.endswith("The end.\n")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (report(), []),
        (report(22), []),
        (report(26), ["crash: 38 plans were run, the page says 32"]),
        (report(passed=19), ["crash: 31 of 32 passed"]),
        (
            report().replace("malice", "grace"),
            [
                "malice: 0 plans were run, the page says 1",
                "grace: 1 plans were run, the page says 0",
            ],
        ),
    ],
    ids=["the same", "about the same", "more", "not all passed", "another kind"],
)
def test_the_page_is_held_to_the_report(now: str, said: list[str]) -> None:
    assert campaign_counts.differences(page(), campaign_counts.read(now)) == said


def test_the_page_of_failures_has_counts() -> None:
    assert campaign_counts.shown(PAGE.read_text(), "campaign")["crash"] > 0
