"""Making images tells what it does in words that fit the person who waits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import images_build, images_go
from ansible.module_utils.images_recipe import recipes
from ansible.module_utils.images_state import Settings, State

FILES = Path(__file__).resolve().parents[3] / "roles" / "images" / "files"


def settings(cache: Path) -> Settings:
    """Settings of a machine on which nothing is."""
    return Settings(
        files=FILES,
        source="build",
        mirror="",
        published={},
        cache=cache,
        bin=cache / "bin",
        state=cache / "state",
        debian_mirror="",
    )


def test_what_go_says_itself_is_not_taken_for_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_programs(*arguments: Any) -> None:
        on_line: Callable[[str], None] = arguments[-1]
        on_line("compiling go: downloading k8s.io/api v0.37.2")
        on_line("compiling k8s.io/api/core/v1")

    monkeypatch.setattr(images_go, "find_go", lambda module, cache: Path("/no/go"))
    monkeypatch.setattr(images_go, "compile_programs", compile_programs)
    build = images_build.Build(settings(tmp_path), State(recipes=recipes(FILES)), tmp_path)
    [step] = build.compile_step(tools=True)
    said: list[str] = []
    step.run(said.append)
    assert said[1:] == ["downloading k8s.io/api v0.37.2", "compiling k8s.io/api/core/v1"]
