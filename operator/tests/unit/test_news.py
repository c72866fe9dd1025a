"""What becomes an event, and what does not."""

import msgspec
import pytest

from imooc_operator.kinds.imoocpod import observe
from imooc_operator.kinds.imoocpod.api import ImoocPodStatus
from imooc_operator.kinds.imoocpod.news import News, news, replaced
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

QUOTA = News("Warning", "QuotaExceeded", "Reconcile", "because of QuotaExceeded")
IMAGE = News(
    "Warning", "ImagePullFailed", "Reconcile", "1 pods: see kubectl describe pods -l app=web"
)
RECOVERED = News("Normal", "Recovered", "Reconcile", "CrashLooping is over")
REPLACING = News("Normal", "ReplacingPods", "Replace", "1 pods are of an older template")

CASES = [
    pytest.param(None, FINE, [], id="made as asked"),
    pytest.param(FINE, FINE, [], id="nothing new"),
    pytest.param(None, status(failure="QuotaExceeded"), [QUOTA], id="trouble at once"),
    pytest.param(FINE, status(failure="QuotaExceeded"), [QUOTA], id="trouble"),
    pytest.param(
        status(failure="QuotaExceeded"), status(failure="QuotaExceeded"), [], id="the same trouble"
    ),
    pytest.param(
        status(failure="QuotaExceeded"),
        status(trouble="ImagePullFailed"),
        [IMAGE],
        id="another trouble",
    ),
    pytest.param(status(trouble="CrashLooping"), FINE, [RECOVERED], id="recovery"),
    pytest.param(FINE, status(old=True), [REPLACING], id="a new template"),
    pytest.param(None, status(old=True), [REPLACING], id="a new template, no status yet"),
    pytest.param(status(old=True), status(old=True), [], id="still replacing"),
    pytest.param(status(old=True), FINE, [], id="all replaced: the status says it"),
    pytest.param(
        status(trouble="CrashLooping"),
        status(old=True),
        [RECOVERED, REPLACING],
        id="two things at once",
    ),
]


@pytest.mark.parametrize(("old", "new", "told"), CASES)
def test_news(old: ImoocPodStatus | None, new: ImoocPodStatus, told: list[News]) -> None:
    assert list(news(old, new)) == told


def test_a_first_degraded_condition_that_is_false_is_no_recovery() -> None:
    assert list(news(msgspec.structs.replace(FINE, conditions=[]), FINE)) == []


def test_pods_that_ended_are_counted_by_how() -> None:
    pods = [pod("a", phase="Failed"), pod("b", phase="Failed"), pod("c", phase="Succeeded")]
    assert list(replaced(pods)) == [
        News("Warning", "PodsFailed", "Replace", "2 failed pods are replaced"),
        News("Normal", "PodsSucceeded", "Replace", "1 ended pods are replaced"),
    ]
    assert list(replaced([])) == []
