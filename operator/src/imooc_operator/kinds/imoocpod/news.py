"""What a change of status is worth telling a person, as events.

Creating and scaling as asked is no news: status and pods show it, and an event for each would cost
the API server a third more writes. Trouble, recovery, and pods that had to be replaced are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .api import Condition, ImoocPodStatus
from .observe import PodView


@dataclass(frozen=True, slots=True)
class News:
    """An event that has not been addressed yet."""

    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


def news(old: ImoocPodStatus | None, new: ImoocPodStatus) -> Iterator[News]:
    """Yield what `new` tells that `old` did not."""
    before, after = _conditions(old), _conditions(new)
    was, now = before.get("Degraded"), after["Degraded"]
    if now.status == "True" and (was is None or was.status != "True" or was.reason != now.reason):
        yield News("Warning", now.reason, "Reconcile", now.message)
    elif now.status == "False" and was is not None and was.status == "True":
        yield News("Normal", "Recovered", "Reconcile", f"{was.reason} is over")
    rolling, progress = before.get("Progressing"), after["Progressing"]
    if progress.reason == "ReplacingPods" and (
        rolling is None or rolling.reason != progress.reason
    ):
        yield News("Normal", progress.reason, "Replace", progress.message)


def replaced(pods: Sequence[PodView]) -> Iterator[News]:
    """Yield one line about the pods that had ended and were cleaned up."""
    failed = sum(pod.phase == "Failed" for pod in pods)
    if failed:
        yield News("Warning", "PodsFailed", "Replace", f"{failed} failed pods are replaced")
    if ended := len(pods) - failed:
        yield News("Normal", "PodsSucceeded", "Replace", f"{ended} ended pods are replaced")


def _conditions(status: ImoocPodStatus | None) -> dict[str, Condition]:
    return {condition.type: condition for condition in status.conditions} if status else {}
