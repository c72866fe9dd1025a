"""What happens to a cluster follows from its marks; a foreign one is never touched."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.changes import Field
from ansible.module_utils.kind_record import (
    Action,
    Intent,
    Node,
    Observed,
    Phase,
    Record,
    decide,
    is_ours,
)

SPEC: dict[str, Any] = {
    "image": "node:1",
    "workers": 0,
    "port_mappings": [],
    "feature_gates": {},
    "kubeadm_patches": [],
    "containerd_patches": [],
    "pod_subnet": "10.244.0.0/16",
    "service_subnet": "10.96.0.0/16",
}
NODE = Node("c-control-plane", running=True, started_at="", image_id="sha256:one")
STOPPED = Node("c-control-plane", running=False, started_at="", image_id="sha256:one")
RECORD = Record("dev", SPEC, "sha256:one", "v1.37.2", network_is_ours=True)


def intent(phase: Phase, image_id: str = "sha256:one") -> Intent:
    return Intent("c", phase, image_id, network_is_ours=True)


def action(observed: Observed, image_id: str | None = "sha256:one", **changes: Any) -> Action:
    allow = bool(changes.pop("allow_recreate", False))
    found: Action = decide(
        observed, {**SPEC, **changes}, image_id, "c", allow_recreate=allow
    ).action
    return found


@pytest.mark.parametrize(
    ("observed", "expected"),
    [
        pytest.param(Observed([], None, None), Action.CREATE, id="nothing"),
        pytest.param(Observed([NODE], RECORD, None), Action.KEEP, id="as wanted"),
        pytest.param(Observed([STOPPED], RECORD, None), Action.START, id="stopped"),
        pytest.param(Observed([NODE], None, None), Action.REFUSE_FOREIGN, id="no mark"),
        pytest.param(
            Observed([NODE], None, intent(Phase.CREATING)), Action.RECREATE, id="half made"
        ),
        pytest.param(
            Observed([NODE], None, intent(Phase.DELETING)), Action.RECREATE, id="half removed"
        ),
        pytest.param(
            Observed([NODE], None, intent(Phase.CREATED)),
            Action.REFUSE_FOREIGN,
            id="ours was removed by hand, this one is somebody's",
        ),
        pytest.param(
            Observed([NODE], None, intent(Phase.CREATING, "sha256:two")),
            Action.REFUSE_FOREIGN,
            id="made of another image than we were about to use",
        ),
        pytest.param(
            Observed([], None, intent(Phase.CREATING)), Action.CREATE, id="killed before kind"
        ),
    ],
)
def test_decisions(observed: Observed, expected: Action) -> None:
    assert action(observed) is expected


def test_a_difference_is_refused_unless_allowed() -> None:
    observed = Observed([NODE], RECORD, None)
    assert action(observed, workers=1) is Action.REFUSE_DIFFERENT
    assert action(observed, workers=1, allow_recreate=True) is Action.RECREATE


def test_a_foreign_cluster_is_refused_even_where_recreation_is_allowed() -> None:
    assert action(Observed([NODE], None, None), allow_recreate=True) is Action.REFUSE_FOREIGN


def test_an_image_counts_by_content_not_by_name() -> None:
    observed = Observed([NODE], RECORD, None)
    assert action(observed, image="another:name") is Action.KEEP
    assert action(observed, "sha256:two") is Action.REFUSE_DIFFERENT


def test_without_the_image_in_the_engine_its_name_decides() -> None:
    observed = Observed([NODE], RECORD, None)
    assert action(observed, None) is Action.KEEP
    assert action(observed, None, image="node:2") is Action.REFUSE_DIFFERENT


def test_no_wish_for_an_image_leaves_it_as_it_is() -> None:
    assert action(Observed([NODE], RECORD, None), None, image="") is Action.KEEP


def test_a_lost_node_container_is_a_difference() -> None:
    record = Record("dev", {**SPEC, "workers": 1}, "sha256:one", "v1.37.2", network_is_ours=True)
    decision = decide(
        Observed([NODE], record, None),
        {**SPEC, "workers": 1},
        "sha256:one",
        "c",
        allow_recreate=False,
    )
    assert decision.action is Action.REFUSE_DIFFERENT
    assert decision.reasons == ["nodes.c-worker: the cluster has nothing, wanted is a container"]
    assert decision.differences == [Field("nodes.c-worker", None, "a container")]


def test_marks_survive_being_written() -> None:
    assert Record.from_json(RECORD.to_json()) == RECORD
    mark = intent(Phase.DELETING)
    assert Intent.from_json(mark.to_json()) == mark


@pytest.mark.parametrize("text", ["", "{", "[]", '{"environment": "dev"}', "null"])
def test_what_is_no_mark_is_none(text: str) -> None:
    assert Record.from_json(text) is None
    assert Intent.from_json(text) is None


def test_ownership_needs_a_mark() -> None:
    assert is_ours(Observed([NODE], RECORD, None))
    assert not is_ours(Observed([NODE], None, None))
