"""What becomes an event, and what does not."""

import msgspec
import pytest

from imooc_operator.kinds.imoocpod import observe
from imooc_operator.kinds.imoocpod.api import ImoocPodStatus
from imooc_operator.kinds.imoocpod.news import news, replaced
from imooc_operator.kinds.imoocpod.observe import Failure
from imooc_operator.kinds.imoocpod.status import status_of
from support.builders import cr, pod, seen


def status(
    *, failure: observe.Refusal | None = None, trouble: str = "", old: bool = False
) -> ImoocPodStatus:
    """Return the status of an ImoocPod of one pod with this trouble."""
    owner = cr(1)
    template = {"template": "older"} if old else {}
    only = pod("web-pod-1", owner, trouble=trouble, ready=not trouble, **template)
    why = Failure(failure, f"because of {failure}") if failure else None
    return status_of(owner, seen(owner, only, failure=why))


FINE = status()

CASES = [
    pytest.param(None, FINE, [], id="made as asked"),
    pytest.param(FINE, FINE, [], id="nothing new"),
    pytest.param(None, status(failure="QuotaExceeded"), ["QuotaExceeded"], id="trouble at once"),
    pytest.param(FINE, status(failure="QuotaExceeded"), ["QuotaExceeded"], id="trouble"),
    pytest.param(
        status(failure="QuotaExceeded"), status(failure="QuotaExceeded"), [], id="the same trouble"
    ),
    pytest.param(
        status(failure="QuotaExceeded"),
        status(trouble="ImagePullFailed"),
        ["ImagePullFailed"],
        id="another trouble",
    ),
    pytest.param(status(trouble="CrashLooping"), FINE, ["Recovered"], id="recovery"),
    pytest.param(FINE, status(old=True), ["ReplacingPods"], id="a new template"),
    pytest.param(status(old=True), status(old=True), [], id="still replacing"),
    pytest.param(status(old=True), FINE, [], id="all replaced: the status says it"),
]


@pytest.mark.parametrize(("old", "new", "reasons"), CASES)
def test_news(old: ImoocPodStatus | None, new: ImoocPodStatus, reasons: list[str]) -> None:
    assert [item.reason for item in news(old, new)] == reasons


def test_trouble_is_a_warning_that_says_why() -> None:
    (item,) = news(FINE, status(failure="QuotaExceeded"))
    assert (item.type, item.note) == ("Warning", "because of QuotaExceeded")


def test_a_first_degraded_condition_that_is_false_is_no_recovery() -> None:
    assert list(news(msgspec.structs.replace(FINE, conditions=[]), FINE)) == []


def test_pods_that_ended_are_counted_by_how() -> None:
    pods = [pod("a", phase="Failed"), pod("b", phase="Failed"), pod("c", phase="Succeeded")]
    assert [(item.type, item.note) for item in replaced(pods)] == [
        ("Warning", "2 failed pods are replaced"),
        ("Normal", "1 ended pods are replaced"),
    ]
    assert list(replaced([])) == []
