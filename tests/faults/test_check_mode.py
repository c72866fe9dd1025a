"""`make plan` on a bare machine plans the whole stack, and writes nothing but the plan."""

from __future__ import annotations

import json
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
    within = ["unshare", "--mount", str(hide)]
    run = environment.run("--check", playbook="playbooks/plan.yml", within=within)
    assert run.code == 0, run.output
    plan = json.loads((environment.state / "plan.json").read_text())
    busy = [step["step"] for step in plan["steps"] if step["changes"]]
    assert [step for step in busy if step in STACK] == STACK
    assert plan["counts"]["update"] == 1  # the engine is started, all else is created
    assert [path.name for path in environment.state.rglob("*")] == ["plan.json"]


def test_check_mode_of_up_itself_writes_nothing(environment: Environment) -> None:
    run = environment.run("--check", "--diff")
    assert run.code == 0, run.output
    assert run.output.rstrip().endswith("; nothing was changed")
    assert not environment.state.exists(), sorted(environment.state.rglob("*"))
