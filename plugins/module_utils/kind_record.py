"""Decide what has to happen to a kind cluster, from what is there and what is known of its origin.

Pure. Two marks say whose a cluster is. The *record* lies on the node containers and tells what the
finished cluster was made of. The *intent* lies in the environment's state directory and tells that
a creation or a deletion was under way. Invariant: a cluster that carries neither mark is foreign
and is never touched.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ansible.module_utils import kind_config
from ansible.module_utils.changes import Field

RECORD_PATH = "/kind/imooc-record.json"
CONFIG_MAP = "imooc-kind-cluster"


@dataclass(frozen=True)
class Record:
    """What a finished cluster was made of."""

    environment: str
    spec: kind_config.Spec
    image_id: str
    kubernetes: str
    network_is_ours: bool

    def to_json(self) -> str:
        """Return the record in the form that the nodes and the ConfigMap keep."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Record | None:
        """Return the record that was written, None where the text is not one."""
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            return None


class Phase(enum.StrEnum):
    """How far we got with a cluster, as the intent says."""

    CREATING = "creating"
    CREATED = "created"
    DELETING = "deleting"


@dataclass(frozen=True)
class Intent:
    """What we were about to do to the cluster when the file was written."""

    cluster: str
    phase: Phase
    image_id: str
    network_is_ours: bool

    def to_json(self) -> str:
        """Return the intent in the form that the state directory keeps."""
        return json.dumps(asdict(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Intent | None:
        """Return the intent that was written, None where the text is not one."""
        try:
            value: dict[str, Any] = json.loads(text)
            return cls(**{**value, "phase": Phase(value["phase"])})
        except (ValueError, TypeError, KeyError):
            return None


@dataclass(frozen=True)
class Node:
    """One node container of the cluster, running or not."""

    name: str
    running: bool
    started_at: str
    image_id: str


@dataclass(frozen=True)
class Observed:
    """What the engine and the state directory held of the cluster."""

    nodes: Sequence[Node]
    record: Record | None
    intent: Intent | None


class Action(enum.Enum):
    """What brings the cluster to the wish."""

    KEEP = "keep"
    CREATE = "create"
    START = "start"
    RECREATE = "recreate"
    REFUSE_FOREIGN = "refuse_foreign"
    REFUSE_DIFFERENT = "refuse_different"


@dataclass(frozen=True)
class Decision:
    """An action and the reasons for it: one line each for people, and what differs as data."""

    action: Action
    reasons: list[str] = field(default_factory=list)
    differences: list[Field] = field(default_factory=list)


def is_ours(observed: Observed) -> bool:
    """Return whether the cluster's containers are ours to change or to remove."""
    if observed.record is not None:
        return True
    intent = observed.intent
    return (
        intent is not None
        and intent.phase is not Phase.CREATED
        and all(node.image_id == intent.image_id for node in observed.nodes)
    )


def decide(
    observed: Observed,
    wanted: kind_config.Spec,
    wanted_image_id: str | None,
    cluster: str,
    *,
    allow_recreate: bool,
) -> Decision:
    """Return what to do; ``wanted_image_id`` is None where the engine lacks the image."""
    if not observed.nodes:
        return Decision(Action.CREATE, ["there is no such cluster"])
    if not is_ours(observed):
        return Decision(Action.REFUSE_FOREIGN)
    if observed.record is None:
        return Decision(
            Action.RECREATE, ["an earlier run was interrupted while it made the cluster"]
        )
    found = _differences(observed, observed.record, wanted, wanted_image_id, cluster)
    if found:
        action = Action.RECREATE if allow_recreate else Action.REFUSE_DIFFERENT
        return Decision(action, [kind_config.described(one) for one in found], found)
    stopped = [node.name for node in observed.nodes if not node.running]
    if stopped:
        return Decision(Action.START, [f"stopped: {', '.join(stopped)}"])
    return Decision(Action.KEEP)


def _differences(
    observed: Observed,
    record: Record,
    wanted: kind_config.Spec,
    wanted_image_id: str | None,
    cluster: str,
) -> list[Field]:
    found: list[Field] = kind_config.differences(record.spec, wanted)
    same_image = (
        record.spec["image"] == wanted["image"]
        if wanted_image_id is None
        else record.image_id == wanted_image_id
    )
    if wanted["image"] and not same_image:  # no wish leaves the image as it is
        live = f"{record.spec['image']} ({record.image_id[:19]})"
        wish = f"{wanted['image']} ({(wanted_image_id or 'not in the engine')[:19]})"
        found.insert(0, Field("image", live, wish))
    expected = set(kind_config.node_names(cluster, record.spec["workers"]))
    gone = sorted(expected - {node.name for node in observed.nodes})
    return found + [Field(f"nodes.{name}", None, "a container") for name in gone]
