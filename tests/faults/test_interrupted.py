"""A run killed in the middle of any step is finished by the next one."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from environments import Environment

# Every step that changes something, and how many seconds into it the kill comes.
STEPS = [
    ("engine", 0.3),
    ("images", 0.3),
    ("cluster", 1.5),
    ("cluster", 8),
    ("registry", 0.8),
    ("build", 1),
    ("rbac", 0.5),
    ("crd", 0.5),
    ("operator", 1),
    ("cr", 0.5),
]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment that is removed whatever the tests left of it."""
    folder = tmp_path_factory.mktemp("inventory")
    with Environment.temporary("interrupted", folder) as environment:
        yield environment


@pytest.mark.parametrize(("step", "seconds"), STEPS)
def test_a_run_is_killed(environment: Environment, step: str, seconds: float) -> None:
    """Each starts on what the one before left half-made, so kills also pile up."""
    run = environment.run(kill_in=(step, seconds))
    assert run.code == -signal.SIGKILL, f"it ended before it could be killed:\n{run.output}"
    assert f": {step}" in run.output


def test_a_run_is_killed_while_it_gets_an_image(environment: Environment) -> None:
    """The machine has all images, so one is taken away: what gets it is killed half-way."""
    with contextlib.closing(docker.from_env()) as engine:
        names = [tag for image in engine.images.list() for tag in image.tags]
        taken = [name for name in names if name.startswith("imooc.local/") and "busybox" in name]
        for name in taken:
            engine.images.remove(name, force=True)
    assert taken
    run = environment.run(kill_in=("images", 3))
    assert run.code == -signal.SIGKILL, f"it ended before it could be killed:\n{run.output}"
    assert "busybox" in run.output


def test_the_next_run_finishes(environment: Environment) -> None:
    run = environment.run()
    assert run.code == 0, run.output


def test_and_the_one_after_changes_nothing(environment: Environment) -> None:
    run = environment.run()
    assert (run.code, run.changed) == (0, 0), run.output


def test_a_plan_of_what_is_finished_changes_nothing(environment: Environment) -> None:
    before = {path: path.stat().st_mtime_ns for path in environment.state.rglob("*")}
    run = environment.run("--check", "--diff")
    assert (run.code, run.changed) == (0, 0), run.output
    count = "plan: 0 to create, 0 to update, 0 to replace, 0 to delete; nothing was changed"
    assert run.output.rstrip().endswith(count)
    assert {path: path.stat().st_mtime_ns for path in environment.state.rglob("*")} == before


def test_the_inventory_lies_outside_the_project(environment: Environment) -> None:
    """Otherwise a test environment could show up among the user's."""
    assert not environment.inventory.is_relative_to(Path(__file__).parents[2])
