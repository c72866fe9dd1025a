"""Role variables are judged by the roles' own argument specs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.role_variables import check_variable, read_specs, unknown_variables

ROLES = Path(__file__).resolve().parents[3] / "roles"
PORT = {"type": "int", "default": 5000, "description": "Port. Between 1 and 65535."}
MAPPINGS = {"type": "list", "elements": "dict", "options": {"host_port": PORT}}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        pytest.param(PORT, 5000, id="int"),
        pytest.param(PORT, "5000", id="int-as-text"),
        pytest.param({"type": "str", "choices": ["a", "b"]}, "b", id="choice"),
        pytest.param({"type": "bool"}, "yes", id="bool"),
        pytest.param(MAPPINGS, [{"host_port": 80}], id="nested"),
        pytest.param({"description": ["No range here."]}, "x", id="untyped"),
        pytest.param({"type": "list", "elements": "str"}, None, id="left-out"),
    ],
)
def test_a_sound_value(spec: dict[str, Any], value: object) -> None:
    assert check_variable("some_variable", spec, value) is None


@pytest.mark.parametrize(
    ("spec", "value", "problem", "cure"),
    [
        pytest.param(PORT, "x", "convert to int", "an int between 1 and 65535", id="type"),
        pytest.param(PORT, 0, "not between 1 and 65535", "(default: 5000)", id="low"),
        pytest.param(PORT, "70000", "not between", "between 1 and 65535", id="high"),
        pytest.param(PORT, None, "has no value", "(default: 5000)", id="null"),
        pytest.param({"type": "dict", "required": True}, None, "no value", "a dict", id="null2"),
        pytest.param(PORT, True, "not a number", "an int", id="bool-for-int"),
        pytest.param({"choices": ["a", "b"]}, "c", "one of: a, b", "one of a, b", id="choice"),
        pytest.param(
            {"type": "list", "elements": "int"}, ["x"], "int", "a list of int", id="elements"
        ),
        pytest.param(
            MAPPINGS, [{"host_port": 80}, {"host_port": 0}], "host_port = 0", "a list of dict",
            id="nested",
        ),
    ],
)  # fmt: skip
def test_a_fault(spec: dict[str, Any], value: object, problem: str, cure: str) -> None:
    fault = check_variable("some_variable", spec, value)
    assert fault is not None
    assert fault.variable == "some_variable"
    assert fault.value == repr(value)
    assert problem in fault.problem
    assert cure in fault.cure
    assert "some_variable" in fault.cure


def test_a_default_that_is_a_template_is_not_offered() -> None:
    fault = check_variable("some_variable", {"type": "path", "default": "{{ other }}"}, None)
    assert fault is not None
    assert fault.cure == "set some_variable to a path"


def test_a_secret_is_not_repeated() -> None:
    fault = check_variable("token", {"type": "int", "no_log": True}, "s3cret")
    assert fault is not None
    assert "s3cret" not in fault.value


def test_a_misspelt_variable_is_noticed() -> None:
    specs = read_specs(ROLES)
    assert "preflight_nodes" in specs
    [notice] = unknown_variables(["preflight_node", "anything", *specs], specs, ROLES)
    assert "did you mean preflight_nodes?" in notice


def test_every_default_of_every_role_is_sound() -> None:
    specs = read_specs(ROLES)
    faults = [
        check_variable(name, spec, spec["default"])
        for name, spec in specs.items()
        if spec.get("default") is not None and "{{" not in str(spec["default"])
    ]
    assert [fault for fault in faults if fault] == []


def numbers(specs: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return every number among the options, those inside others too."""
    found = []
    for name, spec in specs.items():
        found += [(name, spec)] if spec.get("type") in ("int", "float") else []
        found += numbers(spec.get("options") or {})
    return found


def test_every_number_of_every_role_has_a_range() -> None:
    found = numbers(read_specs(ROLES))
    unbounded = [name for name, spec in found if check_variable(name, spec, 10**12) is None]
    assert unbounded == []
