#!/usr/bin/env python3
"""Write the variable tables of the role pages from their argument specs, or check them.

Invariant: an interface is stated once, in `meta/argument_specs.yml`. The page's table is generated
from it, and `defaults/main.yml` must agree with it; `--check` fails for a role where one does not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

BEGIN = "<!-- variables:begin -->"
END = "<!-- variables:end -->"
ROLES = Path(__file__).resolve().parents[1] / "roles"

Options = dict[str, dict[str, Any]]


def options_of(role: Path) -> Options:
    """Return the options of the role's entry point `main`."""
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())
    options: Options = specs["argument_specs"]["main"].get("options") or {}
    return options


def defaults_of(role: Path) -> dict[str, Any]:
    """Return the role's defaults; a role whose variables are all required has none."""
    path = role / "defaults/main.yml"
    defaults: dict[str, Any] = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
    return defaults


def disagreements(options: Options, defaults: dict[str, Any]) -> Iterator[str]:
    """Yield a sentence for each difference between the specs and the defaults."""
    for name in defaults.keys() - options.keys():
        yield f"{name} has a default, but argument_specs.yml does not know it"
    for name, option in options.items():
        if option.get("required"):
            if name in defaults:
                yield f"{name} is required, so its default is never used"
        elif "default" in option and name not in defaults:
            yield f"{name} has a default in argument_specs.yml only"
        elif "default" in option and option["default"] != defaults[name]:
            yield f"{name} defaults to {defaults[name]!r}, argument_specs.yml says otherwise"
        elif "default" not in option and name in defaults and not _is_template(defaults[name]):
            yield f"{name} has a default in defaults/main.yml only"


def table(options: Options, defaults: dict[str, Any]) -> str:
    """Return the Markdown table of the options, in the order of the specs."""
    rows = [_row(name, option, defaults.get(name)) for name, option in _flat(options)]
    return "\n".join(
        ["| variable | type | default | what it is |", "| --- | --- | --- | --- |", *rows]
    )


def page_with(page: str, text: str) -> str:
    """Return the page with `text` between its markers. Errors: ValueError without both markers."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"README.md needs one {BEGIN} and one {END}")
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.split(END)[1]}"


def faults_of(role: Path, write: bool) -> Iterator[str]:
    """Yield what is wrong with a role's interface; with `write`, bring its page up to date."""
    try:
        options, defaults = options_of(role), defaults_of(role)
        page = (role / "README.md").read_text()
        wanted = page_with(page, table(options, defaults))
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError) as error:
        yield str(error)
        return
    yield from disagreements(options, defaults)
    if page == wanted:
        return
    if write:
        (role / "README.md").write_text(wanted)
    else:
        yield "the table in README.md is stale; run: make docs"


def main(arguments: list[str] | None = None) -> int:
    """Return the exit status: 0 where every role's page, specs and defaults agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where stale")
    parser.add_argument("--roles", type=Path, default=ROLES, help="directory of the roles")
    chosen = parser.parse_args(arguments)
    roles = sorted(path for path in chosen.roles.iterdir() if path.is_dir())
    faults = [
        f"roles/{role.name}: {fault}"
        for role in roles
        for fault in faults_of(role, write=not chosen.check)
    ]
    print("\n".join(faults), file=sys.stderr, end="\n" if faults else "")
    return 1 if faults or not roles else 0


def _flat(options: Options, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield options and, after each, those inside it: `ports`, `ports[].port`."""
    for name, option in options.items():
        yield f"{prefix}{name}", option
        inner = "[]." if option.get("type") == "list" else "."
        yield from _flat(option.get("options") or {}, f"{prefix}{name}{inner}")


def _row(name: str, option: dict[str, Any], default: Any) -> str:
    kind = option.get("type", "str")
    if kind == "list" and "elements" in option:
        kind = f"list of {option['elements']}"
    value = option.get("default", default)
    if option.get("required"):
        shown = "required"
    else:
        shown = "" if value is None else f"`{_literal(value)}`"
    description = option.get("description", "")
    sentences = description if isinstance(description, list) else [description]
    if "choices" in option:
        choices = ", ".join(f"`{_literal(choice)}`" for choice in option["choices"])
        sentences = [*sentences, f"One of {choices}."]
    cells = [f"`{name}`", kind, shown, " ".join(str(s).strip() for s in sentences)]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _literal(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value)


def _is_template(value: Any) -> bool:
    """Return whether a default is computed: the specs can hold only constants."""
    return "{{" in json.dumps(value)


if __name__ == "__main__":
    sys.exit(main())
