"""What the status says in each state."""

import msgspec
import pytest

from imooc_operator.kinds.imoocpod.observe import Failure, Observed
from imooc_operator.kinds.imoocpod.status import same, status_of
from support.builders import NOW, cr, pod, seen, with_status


def verdicts(observed: Observed) -> dict[str, tuple[str, str]]:
    assert observed.cr is not None
    return {c.type: (c.status, c.reason) for c in status_of(observed.cr, observed).conditions}


CASES = [
    pytest.param(
        seen(cr(1), pod("a")),
        [("True", "AllPodsReady"), ("False", "Converged"), ("False", "AsExpected")],
        id="converged",
    ),
    pytest.param(
        seen(cr(0)),
        [("True", "AllPodsReady"), ("False", "Converged"), ("False", "AsExpected")],
        id="zero",
    ),
    pytest.param(
        seen(cr(1), pod("a", ready=False)),
        [("False", "PodsNotReady"), ("True", "WaitingForPods"), ("False", "AsExpected")],
        id="waiting",
    ),
    pytest.param(
        seen(cr(1), pod("a", ready=False, trouble="ImagePullFailed")),
        [("False", "PodsNotReady"), ("True", "WaitingForPods"), ("True", "ImagePullFailed")],
        id="image",
    ),
    pytest.param(
        seen(cr(2), pod("a"), pod("b", template="old")),
        [("False", "PodsOutdated"), ("True", "ReplacingPods"), ("False", "AsExpected")],
        id="rolling",
    ),
    pytest.param(
        seen(cr(2), pod("a"), failure=Failure("QuotaExceeded", "no more")),
        [("False", "PodsNotReady"), ("True", "Retrying"), ("True", "QuotaExceeded")],
        id="quota",
    ),
    pytest.param(
        seen(cr(1), pod("a"), pod("b"), failure=Failure("NotPermitted", "no delete")),
        [("False", "TooManyPods"), ("True", "Retrying"), ("True", "NotPermitted")],
        id="cannot delete",
    ),
    pytest.param(
        seen(cr(spec=None, invalid="replicas: wrong"), pod("a")),
        [("Unknown", "InvalidSpec"), ("False", "InvalidSpec"), ("True", "InvalidSpec")],
        id="invalid",
    ),
]


@pytest.mark.parametrize(("observed", "expected"), CASES)
def test_conditions(observed: Observed, expected: list[tuple[str, str]]) -> None:
    kinds = ("Ready", "Progressing", "Degraded")
    assert verdicts(observed) == dict(zip(kinds, expected, strict=True))


def test_counts_what_is_active_and_what_is_ready() -> None:
    gone = (pod("c", terminating=True), pod("d", phase="Failed"))
    status = status_of(cr(3, generation=7), seen(cr(3), pod("b"), pod("a", ready=False), *gone))
    assert (status.replicas, status.ready_replicas, status.pod_names) == (2, 1, ["a", "b"])
    assert (status.observed_generation, status.selector) == (7, "app=web")
    assert {c.observed_generation for c in status.conditions} == {7}


def test_a_transition_time_changes_only_with_its_condition() -> None:
    first = status_of(cr(1), seen(cr(1), pod("a", ready=False)))
    later = Observed(cr=with_status(cr(1), first), pods=[pod("a")], now="2026-01-02T03:05:00Z")
    assert later.cr is not None
    times = {c.type: c.last_transition_time for c in status_of(later.cr, later).conditions}
    assert times == {"Ready": later.now, "Progressing": later.now, "Degraded": NOW}


def test_time_alone_is_no_reason_to_write() -> None:
    before = status_of(cr(1), seen(cr(1), pod("a")))
    after = msgspec.structs.replace(
        before,
        conditions=[
            msgspec.structs.replace(c, last_transition_time="2030-01-01T00:00:00Z")
            for c in before.conditions
        ],
    )
    assert same(after, before)
    assert not same(msgspec.structs.replace(after, ready_replicas=0), before)
    assert not same(before, None)
