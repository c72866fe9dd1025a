"""The reference page lists each condition and each event that the code can give, and no other."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from imooc_operator.kinds.imoocpod.api import ImoocPodStatus
from imooc_operator.kinds.imoocpod.news import news, replaced
from imooc_operator.kinds.imoocpod.observe import Failure, Observed, Refusal, Trouble
from imooc_operator.kinds.imoocpod.status import Reason, status_of
from support.builders import cr, pod, seen

PAGE = Path(__file__).parents[3] / "docs/reference/operator.md"


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table below `heading`, without its meanings."""
    _, _, rest = PAGE.read_text().partition(f"## {heading}\n")
    lines = [line for line in rest.partition("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.split("|")[1:-2]] for line in lines[2:]]


def observations() -> Iterator[Observed]:
    """Yield an observation of each sort: every trouble and refusal, few, enough, many, old pods."""
    yield seen(cr(spec=None, invalid="replicas: wrong"))
    troubles = ("", *get_args(Trouble))
    current = pod("any").template
    looks = list(itertools.product((True, False), (current, "old"), troubles))
    failures = (None, *(Failure(reason, "no") for reason in get_args(Refusal)))
    for number in range(3):
        for chosen in itertools.combinations_with_replacement(looks, number):
            pods = [
                pod(f"web-pod-{index}", ready=ready, trouble=trouble, template=template)
                for index, (ready, template, trouble) in enumerate(chosen)
            ]
            for failure in failures:
                yield seen(cr(1), *pods, failure=failure)


def statuses() -> list[ImoocPodStatus]:
    """Return one status for each combination of conditions."""
    found = {}
    for observed in observations():
        assert observed.cr is not None
        status = status_of(observed.cr, observed)
        found[tuple((c.type, c.status, c.reason) for c in status.conditions)] = status
    return list(found.values())


def test_conditions() -> None:
    given = {(c.type, c.status, c.reason) for status in statuses() for c in status.conditions}
    assert sorted(map(tuple, rows("Conditions"))) == sorted(given)
    assert {reason for _, _, reason in given} == set(get_args(Reason))


def test_events() -> None:
    troubles = [
        reason
        for kind, status, reason in rows("Conditions")
        if (kind, status) == ("Degraded", "True")
    ]
    listed = {
        (kind, reason)
        for kind, written in rows("Events")
        for reason in (troubles if written == "the reason of Degraded" else [written])
    }
    reached = statuses()
    told = [item for old in (None, *reached) for new in reached for item in news(old, new)]
    told += replaced([pod("a", phase="Failed"), pod("b", phase="Succeeded")])
    assert {(item.type, item.reason) for item in told} == listed
