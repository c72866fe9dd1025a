"""Every role's page and defaults agree with its argument specs, and disagreement is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tools import role_docs

SPECS = """
argument_specs:
  main:
    options:
      demo_ports:
        type: list
        elements: dict
        default: []
        description: [Ports., "Any | number."]
        options:
          port: {type: int, required: true, description: A port.}
      demo_source: {type: str, default: auto, choices: [auto, pull], description: Whence.}
      demo_path: {type: path, description: Where.}
      demo_name: {required: true, description: Who.}
"""
DEFAULTS = "demo_ports: []\ndemo_source: auto\ndemo_path: '{{ x }}/y'\n"
TABLE = """\
| variable | type | default | what it is |
| --- | --- | --- | --- |
| `demo_ports` | list of dict | `[]` | Ports. Any \\| number. |
| `demo_ports[].port` | int | required | A port. |
| `demo_source` | str | `auto` | Whence. One of `auto`, `pull`. |
| `demo_path` | path | `{{ x }}/y` | Where. |
| `demo_name` | str | required | Who. |"""
PAGE = f"# demo\n\n{role_docs.BEGIN}\nold\n{role_docs.END}\nend\n"


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    """A directory with one sound role whose table is stale."""
    for name, text in {
        "meta/argument_specs.yml": SPECS,
        "defaults/main.yml": DEFAULTS,
        "README.md": PAGE,
    }.items():
        path = tmp_path / "demo" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_roles_of_this_project_agree(capsys: pytest.CaptureFixture[str]) -> None:
    status = role_docs.main(["--check"])
    assert (status, capsys.readouterr().err) == (0, "")


def test_stale_table_is_noticed_written_and_then_right(
    roles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = roles / "demo/README.md"
    assert role_docs.main(["--check", "--roles", str(roles)]) == 1
    assert capsys.readouterr().err == (
        "roles/demo: the table in README.md is stale; run: make docs\n"
    )
    assert page.read_text() == PAGE
    assert role_docs.main(["--roles", str(roles)]) == 0
    assert page.read_text() == PAGE.replace("old", TABLE)
    assert role_docs.main(["--check", "--roles", str(roles)]) == 0


@pytest.mark.parametrize(
    ("options", "defaults", "fault"),
    [
        ({}, {"a": 1}, "a has a default, but argument_specs.yml does not know it"),
        ({"a": {"required": True}}, {"a": 1}, "a is required, so its default is never used"),
        ({"a": {"default": 1}}, {}, "a has a default in argument_specs.yml only"),
        ({"a": {"default": 1}}, {"a": 2}, "a defaults to 2, argument_specs.yml says otherwise"),
        ({"a": {}}, {"a": 1}, "a has a default in defaults/main.yml only"),
    ],
    ids=["unknown", "useless", "undefined", "different", "unstated"],
)
def test_disagreement(options: dict[str, Any], defaults: dict[str, Any], fault: str) -> None:
    assert list(role_docs.disagreements(options, defaults)) == [fault]


@pytest.mark.parametrize("page", ["none", role_docs.BEGIN, PAGE + role_docs.END])
def test_page_without_its_two_markers_is_a_fault(roles: Path, page: str) -> None:
    (roles / "demo/README.md").write_text(page)
    assert role_docs.main(["--roles", str(roles)]) == 1
    assert (roles / "demo/README.md").read_text() == page


def test_role_without_specs_and_a_directory_without_roles_are_faults(
    roles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (roles / "bare").mkdir()
    role_docs.main(["--roles", str(roles)])
    assert "roles/bare: " in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert role_docs.main(["--check", "--roles", str(tmp_path / "empty")]) == 1
