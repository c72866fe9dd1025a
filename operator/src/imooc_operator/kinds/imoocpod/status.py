"""What the status of an ImoocPod should say.

Invariant: describes the observation of this pass at this generation, and differs from the last
status only when something a reader cares for has changed.
"""

from typing import Literal

import msgspec

from .api import API_VERSION, KIND, Condition, ConditionStatus, ImoocPod, ImoocPodStatus
from .observe import Failure, Observed, PodView, Refusal, Trouble
from .template import template_hash

Reason = Literal[
    Refusal,
    Trouble,
    "AllPodsReady",
    "AsExpected",
    "Converged",
    "InvalidSpec",
    "PodsNotReady",
    "PodsOutdated",
    "ReplacingPods",
    "Retrying",
    "TooManyPods",
    "WaitingForPods",
]
"""What conditions give as their reason; docs/reference/operator.md says what each means."""


def status_of(cr: ImoocPod, observed: Observed) -> ImoocPodStatus:
    """Return the status for what was observed."""
    active = [pod for pod in observed.pods if pod.active]
    ready = sum(pod.ready for pod in active)
    current = template_hash(cr.spec) if cr.spec else ""
    outdated = sum(pod.template != current for pod in active)
    verdicts = (
        ("Ready", *_ready(cr, len(active), ready, outdated)),
        ("Progressing", *_progressing(cr, observed.failure, len(active), ready, outdated)),
        ("Degraded", *_degraded(cr, observed, active)),
    )
    before = {c.type: c for c in cr.status.conditions} if cr.status else {}
    return ImoocPodStatus(
        replicas=len(active),
        ready_replicas=ready,
        pod_names=sorted(pod.name for pod in active),
        observed_generation=cr.generation,
        selector=f"app={cr.name}",
        conditions=[
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=message,
                observed_generation=cr.generation,
                last_transition_time=(
                    old.last_transition_time
                    if (old := before.get(kind)) and old.status == status
                    else observed.now
                ),
            )
            for kind, status, reason, message in verdicts
        ],
    )


def same(new: ImoocPodStatus, old: ImoocPodStatus | None) -> bool:
    """Return whether writing `new` over `old` would tell a reader nothing."""
    return old is not None and timeless(new) == timeless(old)


def timeless(status: ImoocPodStatus) -> ImoocPodStatus:
    """Return `status` without the times of its changes."""
    conditions = [msgspec.structs.replace(c, last_transition_time="") for c in status.conditions]
    return msgspec.structs.replace(status, conditions=conditions)


def status_body(cr: ImoocPod, status: ImoocPodStatus) -> bytes:
    """Return the body of the update of `cr`'s status, refused when `cr` is not the newest.

    An update: the status is ours as a whole, and the API server works less for it than for a patch.
    Of the rest it takes what identifies the object.
    """
    return msgspec.json.encode(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": cr.name,
                "namespace": cr.namespace,
                "uid": cr.uid,
                "resourceVersion": str(cr.revision),
            },
            "status": status,
        }
    )


Verdict = tuple[ConditionStatus, Reason, str]


def _ready(cr: ImoocPod, active: int, ready: int, outdated: int) -> Verdict:
    if cr.spec is None:
        return "Unknown", "InvalidSpec", cr.invalid
    counts = f"{ready} of {cr.spec.replicas} pods are ready"
    if ready < cr.spec.replicas:
        return "False", "PodsNotReady", counts
    if active > cr.spec.replicas:
        return "False", "TooManyPods", f"{active} pods, {cr.spec.replicas} wanted"
    if outdated:
        return "False", "PodsOutdated", f"{counts}, {outdated} of an older template"
    return "True", "AllPodsReady", counts


def _progressing(
    cr: ImoocPod, failure: Failure | None, active: int, ready: int, outdated: int
) -> Verdict:
    if cr.spec is None:
        return "False", "InvalidSpec", "the spec must be corrected first"
    if failure is not None:
        return "True", "Retrying", f"{active} of {cr.spec.replicas} pods exist"
    if outdated:
        return "True", "ReplacingPods", f"{outdated} pods are of an older template"
    if ready < cr.spec.replicas:
        return "True", "WaitingForPods", f"{cr.spec.replicas - ready} pods are not ready yet"
    return "False", "Converged", "the pods are as the spec wants them"


def _degraded(cr: ImoocPod, observed: Observed, active: list[PodView]) -> Verdict:
    if cr.spec is None:
        return "True", "InvalidSpec", cr.invalid
    if observed.failure is not None:
        return "True", observed.failure.reason, observed.failure.message
    troubles = sorted((pod.name, pod.trouble) for pod in active if pod.trouble)
    if troubles:
        _, first = troubles[0]
        # Which of several pods comes first in the alphabet is no news: name the count only.
        count = sum(trouble == first for _, trouble in troubles)
        return "True", first, f"{count} pods: see kubectl describe pods -l app={cr.name}"
    return "False", "AsExpected", "nothing stands in the way"
