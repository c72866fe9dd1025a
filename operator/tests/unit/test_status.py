"""What the status says in each state."""

import msgspec
import pytest

from imooc_operator.kinds.imoocpod.observe import Failure, Observed
from imooc_operator.kinds.imoocpod.status import same, status_of
from support.builders import NOW, cr, pod, seen, with_status

AS_EXPECTED = ("False", "AsExpected", "nothing stands in the way")
CONVERGED = ("False", "Converged", "the pods are as the spec wants them")

CASES = [
    pytest.param(
        seen(cr(1), pod("a")),
        [("True", "AllPodsReady", "1 of 1 pods are ready"), CONVERGED, AS_EXPECTED],
        id="converged",
    ),
    pytest.param(
        seen(cr(0)),
        [("True", "AllPodsReady", "0 of 0 pods are ready"), CONVERGED, AS_EXPECTED],
        id="zero",
    ),
    pytest.param(
        seen(cr(3), pod("a", ready=False), pod("b"), pod("c", ready=False)),
        [
            ("False", "PodsNotReady", "1 of 3 pods are ready"),
            ("True", "WaitingForPods", "2 pods are not ready yet"),
            AS_EXPECTED,
        ],
        id="waiting",
    ),
    pytest.param(
        seen(
            cr(3),
            pod("c", ready=False, trouble="CrashLooping"),
            pod("b", ready=False, trouble="ImagePullFailed"),
            pod("a", ready=False, trouble="ImagePullFailed"),
        ),
        [
            ("False", "PodsNotReady", "0 of 3 pods are ready"),
            ("True", "WaitingForPods", "3 pods are not ready yet"),
            ("True", "ImagePullFailed", "2 pods: see kubectl describe pods -l app=web"),
        ],
        id="image, and another trouble further down the alphabet",
    ),
    pytest.param(
        seen(cr(2), pod("a"), pod("b", ready=False, trouble="Unschedulable")),
        [
            ("False", "PodsNotReady", "1 of 2 pods are ready"),
            ("True", "WaitingForPods", "1 pods are not ready yet"),
            ("True", "Unschedulable", "1 pods: see kubectl describe pods -l app=web"),
        ],
        id="one pod in trouble",
    ),
    pytest.param(
        seen(cr(1), pod("a"), pod("b", phase="Failed", trouble="CrashLooping")),
        [("True", "AllPodsReady", "1 of 1 pods are ready"), CONVERGED, AS_EXPECTED],
        id="the trouble of a pod that has ended is over",
    ),
    pytest.param(
        seen(cr(2), pod("a"), pod("b", template="old")),
        [
            ("False", "PodsOutdated", "2 of 2 pods are ready, 1 of an older template"),
            ("True", "ReplacingPods", "1 pods are of an older template"),
            AS_EXPECTED,
        ],
        id="rolling",
    ),
    pytest.param(
        seen(cr(2), pod("a"), failure=Failure("QuotaExceeded", "no more")),
        [
            ("False", "PodsNotReady", "1 of 2 pods are ready"),
            ("True", "Retrying", "1 of 2 pods exist"),
            ("True", "QuotaExceeded", "no more"),
        ],
        id="quota",
    ),
    pytest.param(
        seen(cr(1), pod("a"), pod("b"), failure=Failure("NotPermitted", "no delete")),
        [
            ("False", "TooManyPods", "2 pods, 1 wanted"),
            ("True", "Retrying", "2 of 1 pods exist"),
            ("True", "NotPermitted", "no delete"),
        ],
        id="cannot delete",
    ),
    pytest.param(
        seen(cr(spec=None, invalid="replicas: wrong"), pod("a")),
        [
            ("Unknown", "InvalidSpec", "replicas: wrong"),
            ("False", "InvalidSpec", "the spec must be corrected first"),
            ("True", "InvalidSpec", "replicas: wrong"),
        ],
        id="invalid",
    ),
]


@pytest.mark.parametrize(("observed", "expected"), CASES)
def test_conditions(observed: Observed, expected: list[tuple[str, str, str]]) -> None:
    assert observed.cr is not None
    conditions = status_of(observed.cr, observed).conditions
    assert [c.type for c in conditions] == ["Ready", "Progressing", "Degraded"]
    assert [(c.status, c.reason, c.message) for c in conditions] == expected


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


def test_a_condition_that_says_something_else_is_written() -> None:
    quota, image = (
        status_of(cr(1), seen(cr(1), failure=Failure(reason, "no")))
        for reason in ("QuotaExceeded", "AdmissionDenied")
    )
    assert not same(quota, image)
