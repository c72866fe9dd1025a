"""Check the values of role variables against the roles' own argument specs, all roles at once.

Invariant: the specs are the only source; a range is read from the sentence "Between A and B" in a
variable's description, because Ansible's schema has no field for it and people need the sentence.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.preflight_judge import Fault

_RANGE = re.compile(r"\b[Bb]etween (-?\d+) and (-?\d+)\b")

Spec = Mapping[str, Any]


def read_specs(roles: Path) -> dict[str, Spec]:
    """Return the spec of every variable of every role below ``roles``, by the variable's name."""
    options: dict[str, Spec] = {}
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        with path.open() as stream:
            entry_points = yaml.load(stream, Loader=loader)["argument_specs"]  # noqa: S506 - safe loader, in C where there is one
        for entry_point in entry_points.values():
            options.update(entry_point.get("options") or {})
    return options


def check_variable(name: str, spec: Spec, value: Any) -> Fault | None:
    """Return what is wrong with ``value``, or None."""
    if value is None:
        problem = _nothing_problem(spec)
    else:
        problem = _type_problem(name, spec, value) or _range_problem(spec, value)
    if problem is None:
        return None
    shown = "(hidden)" if spec.get("no_log") else repr(value)
    return Fault("variables", name, shown, problem, f"set {name} to {_expectation(spec)}")


def unknown_variables(names: Iterable[str], specs: Mapping[str, Spec], roles: Path) -> list[str]:
    """Return a notice for every name that is nearly, but not quite, a role's variable."""
    prefixes = tuple(f"{path.name}_" for path in roles.iterdir())
    found = []
    for name in sorted(set(names) - specs.keys()):
        if not name.startswith(prefixes):
            continue
        if close := difflib.get_close_matches(name, specs, n=1, cutoff=0.9):
            found.append(f"{name} is no variable of any role: did you mean {close[0]}?")
    return found


def _nothing_problem(spec: Spec) -> str | None:
    """Return what is wrong with a variable without value; Ansible's own check lets it pass."""
    may_be_left_out = "default" not in spec and not spec.get("required")
    return None if may_be_left_out else "has no value: null is neither a value nor the default"


def _type_problem(name: str, spec: Spec, value: Any) -> str | None:
    if spec.get("type") == "int" and isinstance(value, bool):  # of which Python makes 1 or 0
        return "is true or false, not a number"
    alone = {key: part for key, part in spec.items() if key not in ("required", "default")}
    errors: list[str] = ArgumentSpecValidator({name: alone}).validate({name: value}).error_messages
    return "; ".join(error.removeprefix(f"argument '{name}' ") for error in errors) or None


def _range(spec: Spec) -> tuple[int, int] | None:
    match = _RANGE.search(_description(spec))
    return (int(match[1]), int(match[2])) if match else None


def _range_problem(spec: Spec, value: Any) -> str | None:
    """Return which part of ``value`` leaves its range; lists of dicts are looked into."""
    for name, option in (spec.get("options") or {}).items():
        for item in value if isinstance(value, list) else [value]:
            if name in item and (problem := _range_problem(option, item[name])):
                return f"{name} = {item[name]!r} {problem}"
    limits = _range(spec)
    if limits is None or spec.get("type") not in ("int", "float"):
        return None
    if limits[0] <= float(value) <= limits[1]:
        return None
    return f"is not between {limits[0]} and {limits[1]}"


def _description(spec: Spec) -> str:
    description = spec.get("description", "")
    return description if isinstance(description, str) else " ".join(description)


def _expectation(spec: Spec) -> str:
    kind = spec.get("type", "str")
    article = "an" if kind == "int" else "a"
    text = f"{article} {kind}"
    if choices := spec.get("choices"):
        text = f"one of {', '.join(map(str, choices))}"
    elif kind == "list" and "elements" in spec:
        text = f"a list of {spec['elements']}"
    elif limits := _range(spec):
        text += f" between {limits[0]} and {limits[1]}"
    # A default that is a template tells a person less than the page of its role.
    plain = "default" in spec and "{{" not in str(spec["default"])
    return f"{text} (default: {spec['default']})" if plain else text
