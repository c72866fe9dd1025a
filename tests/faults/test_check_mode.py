"""`--check --diff` on a bare machine plans the whole stack and changes nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from environments import Environment

STACK = ["engine", "cluster", "registry", "build", "rbac", "crd", "operator", "cr"]


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An environment of which nothing exists."""
    environment = Environment.create("bare", tmp_path)
    yield environment
    shutil.rmtree(environment.state, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="hiding the engine's socket needs root")
def test_a_bare_machine(environment: Environment, tmp_path: Path) -> None:
    """A machine without an engine: the place of its socket and of its pid file is empty."""
    hide = tmp_path / "hide"
    hide.write_text('#!/bin/sh\nmount -t tmpfs tmpfs /run && exec "$@"\n')
    hide.chmod(0o755)
    run = environment.run("--check", "--diff", within=["unshare", "--mount", str(hide)])
    assert run.code == 0, run.output
    plan = run.output.rstrip().splitlines()[-1]
    assert plan.startswith("check mode, nothing was changed; a run would change: ")
    assert [step for step in plan.rpartition(": ")[2].split(", ") if step in STACK] == STACK
    assert not environment.state.exists(), sorted(environment.state.rglob("*"))
