"""What to do about one ImoocPod, decided from what was observed and nothing else.

No memory, clock or chance: the same observation always gives the same actions, even the same pod
names. A create repeated because its answer was lost, or because two operators run, therefore meets
AlreadyExists instead of making a second pod.
"""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .api import ImoocPod, ImoocPodSpec, ImoocPodStatus
from .observe import Observed, PodView
from .status import same, status_of
from .template import template_hash

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own for generated names: no vowels, no accidental words."""


@dataclass(frozen=True, slots=True)
class CreatePod:
    """Create the pod `name` from the current template."""

    name: str


@dataclass(frozen=True, slots=True)
class DeletePod:
    """Delete exactly this pod."""

    pod: PodView
    why: Literal["finished", "surplus", "outdated"]


@dataclass(frozen=True, slots=True)
class SetStatus:
    """Write the status onto the version of the ImoocPod it was computed from."""

    status: ImoocPodStatus


Action = CreatePod | DeletePod | SetStatus


def plan(observed: Observed) -> tuple[Action, ...]:
    """Return the actions that bring the cluster nearer to the spec; () means converged.

    Pods come first, and status alone once there is nothing to do about pods (or they cannot be
    made): a status describes what is, not what is about to be.
    """
    cr = observed.cr
    if cr is None or cr.deleting:
        return ()  # the garbage collector takes the pods
    if cr.spec is not None and observed.failure is None:
        children = _children(cr, cr.spec, observed)
        if children:
            return children
    status = status_of(cr, observed)
    return () if same(status, cr.status) else (SetStatus(status),)


def _children(cr: ImoocPod, spec: ImoocPodSpec, observed: Observed) -> tuple[Action, ...]:
    active = [pod for pod in observed.pods if pod.active]
    current = template_hash(spec)
    cleanup = [DeletePod(pod, "finished") for pod in observed.pods if pod.finished]
    missing = spec.replicas - len(active)
    if missing > 0:
        names = _new_names(cr, observed)
        return (*cleanup, *(CreatePod(next(names)) for _ in range(missing)))
    if missing < 0:
        surplus = sorted(active, key=lambda pod: _rank(pod, current))[:-missing]
        return (*cleanup, *(DeletePod(pod, "surplus") for pod in surplus))
    return (*cleanup, *(DeletePod(pod, "outdated") for pod in _outdated(active, current)))


def _rank(pod: PodView, current: str) -> tuple[object, ...]:
    """Return the order of deletion, as ReplicaSet has it: what serves least goes first."""
    youngest_first = tuple(-ord(character) for character in pod.created)
    return (
        pod.scheduled,
        pod.phase != "Pending",
        pod.ready,
        pod.template == current,
        youngest_first,
        pod.name,
    )


def _outdated(active: Sequence[PodView], current: str) -> list[PodView]:
    """Return the pods of an older template to replace now: at most one unavailable by our doing.

    Those not ready serve nobody and go at once; a ready one goes only while all others are ready.
    """
    old = sorted((pod for pod in active if pod.template != current), key=lambda pod: pod.name)
    idle = [pod for pod in old if not pod.ready]
    if idle:
        return idle
    return old[:1] if all(pod.ready for pod in active) else []


def _new_names(cr: ImoocPod, observed: Observed) -> Iterator[str]:
    """Yield names for new pods, the same ones until a status has been written.

    A pod made meanwhile, by a request whose answer was lost or by another operator, has one of
    these names: it is seen and passed over, or the API server answers AlreadyExists. The last
    status is in the seed so that a pod it names is not followed by one of the same name. When the
    status is again what it once was (1, 0, 1 replicas), so are the names: a uid tells pods apart.
    """
    reported = cr.status.pod_names if cr.status else []
    seed = "\n".join((cr.uid, *reported))
    taken = observed.taken | {pod.name for pod in observed.pods}
    for number in itertools.count():
        name = f"{cr.name}-pod-{_suffix(seed, number)}"
        if name not in taken:
            yield name


def _suffix(seed: str, number: int) -> str:
    value = int.from_bytes(hashlib.sha256(f"{seed}\n{number}".encode()).digest()[:8])
    characters = []
    for _ in range(8):
        value, index = divmod(value, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)
