"""What a run says of its changes: the table, the count, the file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from ansible.module_utils.change_report import (
    Report,
    StepChanges,
    View,
    forget,
    shown,
    told_by,
)
from ansible.module_utils.changes import Change, Field, as_data

DIGEST = "sha256:" + "ab" * 32
SCALED = Change(
    "ImoocPod/default/x",
    "update",
    fields=(Field("spec.replicas", 5, 3, "kubectl", "2026-11-24T11:00:00Z"),),
)
STEPS = [
    StepChanges("engine"),
    StepChanges("registry", [Change("container r", "create", "there is none")]),
    StepChanges("cr", [SCALED]),
    StepChanges("etcd"),
]


def report(view: View, steps: list[StepChanges] = STEPS) -> Report:
    return Report("lab", view, steps)


def test_a_plan_names_every_step_object_field_and_reason() -> None:
    assert report("plan").text().splitlines() == [
        "registry  create   container r: there is none",
        "cr        update   ImoocPod/default/x",
        "                     spec.replicas: 5 -> 3",
        "none      engine, etcd",
        "plan: 1 to create, 1 to update, 0 to replace, 0 to delete; nothing was changed",
    ]


def test_a_run_tells_in_the_same_lines_what_it_did() -> None:
    plan, applied = report("plan").text().splitlines(), report("applied").text().splitlines()
    assert applied[:-1] == plan[:-2]
    assert applied[-1] == "done: 1 created, 1 updated, 0 replaced, 0 deleted"


def test_drift_names_each_field_both_values_and_the_author() -> None:
    assert report("drift").text().splitlines() == [
        "registry  container r",
        "            there is none",
        "              wanted      present",
        "              live        nothing",
        "              changed by  not recorded",
        "cr        ImoocPod/default/x",
        "            spec.replicas",
        "              wanted      3",
        "              live        5",
        "              changed by  kubectl at 2026-11-24T11:00:00Z",
        "drift: 2 differences; `make up ENV=lab` repairs them",
    ]


def test_without_drift_there_is_one_line() -> None:
    assert report("drift", [StepChanges("cr")]).text() == "drift: none"


def test_drift_as_data_has_a_row_for_each_field(tmp_path: Path) -> None:
    report("drift").save(tmp_path, make=False)
    written = json.loads((tmp_path / "drift.json").read_text())
    assert written["environment"] == "lab"
    assert written["differences"] == [
        {
            "step": "registry",
            "object": "container r",
            "action": "create",
            "reason": "there is none",
            "field": "",
            "wanted": "present",
            "live": None,
            "manager": "",
            "time": "",
        },
        {
            "step": "cr",
            "object": "ImoocPod/default/x",
            "action": "update",
            "reason": "",
            "field": "spec.replicas",
            "wanted": 3,
            "live": 5,
            "manager": "kubectl",
            "time": "2026-11-24T11:00:00Z",
        },
    ]


def test_a_plan_as_data_has_everything(tmp_path: Path) -> None:
    state = tmp_path / "state"
    report("plan").save(state, make=False)
    assert not state.exists()
    report("plan").save(state, make=True)
    written = json.loads((state / "plan.json").read_text())
    assert written["counts"] == {"create": 1, "update": 1, "replace": 0, "delete": 0}
    assert [step["step"] for step in written["steps"]] == ["engine", "registry", "cr", "etcd"]
    assert Change.from_data(written["steps"][2]["changes"][0]) == SCALED
    assert stat.S_IMODE(state.stat().st_mode) & 0o077 == 0
    forget(state, "plan")
    assert list(state.iterdir()) == []


@pytest.mark.parametrize(
    ("result", "changes"),
    [
        ({"changed": True, "changes": as_data([SCALED])}, [SCALED]),
        ({"changed": True, "changes": []}, []),
        ({"changed": True}, [Change("A task", "update")]),
        ({"changed": True, "state": "absent", "path": "/x"}, [Change("/x", "delete")]),
        ({"changed": False}, []),
        ({}, []),
    ],
    ids=["ours", "a record of the run", "Ansible's own", "a file removed", "unchanged", "silent"],
)
def test_what_a_task_tells(result: dict[str, object], changes: list[Change]) -> None:
    assert told_by("A task", result) == changes


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        ("", '""'),
        (False, "false"),
        ("two\nlines", "two lines"),
        (["a", 1], '["a", 1]'),
        (f"localhost:5000/x@{DIGEST}", "localhost:5000/x@sha256:abababababab…"),
        ("a" * 40 + "b" * 40, "a" * 28 + "..." + "b" * 28),
    ],
)
def test_a_value_is_one_short_line(value: object, text: str) -> None:
    assert shown(value) == text
