"""The record of durations: what is kept, what is dropped, what a spoilt file means."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils.timings import StepRun, StepTime, Timings, load, save, spoken


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (373, "6 min 13 s"),
        (3599.7, "1 h 0 min"),
        (3720, "1 h 2 min"),
    ],
)
def test_durations_are_spoken_in_two_units(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_record_survives_the_file(tmp_path: Path) -> None:
    timings = Timings()
    timings.finish_step("site/cluster", 21.337, changed=True, tasks={"Create": 20.0, "Look": 0.2})
    timings.run_of("site").ended = 12.5
    save(tmp_path / "timings.json", timings)
    again = load(tmp_path / "timings.json")
    assert again == timings
    assert again.steps == {"site/cluster": StepTime(last=21.34, changed=21.34)}
    assert again.run_of("site").steps == [StepRun("cluster", 21.34, True)]
    assert [path.name for path in tmp_path.iterdir()] == ["timings.json"]


def test_idle_run_does_not_forget_how_long_the_work_took() -> None:
    timings = Timings()
    timings.finish_step("site/cluster", 21.0, changed=True, tasks={"Create": 20.0})
    timings.finish_step("site/cluster", 0.4, changed=False, tasks={"Create": 0.1})
    assert timings.steps["site/cluster"] == StepTime(last=0.4, changed=21.0)
    assert timings.task_seconds("site/cluster", "Create") == 20.0


def test_short_and_unknown_tasks_have_no_duration() -> None:
    timings = Timings()
    timings.finish_step("site/cluster", 5.0, changed=True, tasks={"Quick": 4.9})
    assert timings.task_seconds("site/cluster", "Quick") is None
    assert timings.task_seconds("images", "Quick") is None


def test_tasks_named_after_versions_do_not_pile_up() -> None:
    timings = Timings()
    for version in range(30):
        timings.finish_step("site/build", 9.0, changed=True, tasks={f"Build {version}": 8.0})
    assert list(timings.tasks["site/build"]) == [f"Build {version}" for version in range(10, 30)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"steps": {"a": 1}, "tasks": {}, "runs": {}}',
        '{"steps": []}',
        '{"steps": {}, "tasks": {}, "runs": {"site": {"steps": [1]}}}',
    ],
    ids=["empty", "cut off", "list", "no keys", "wrong step", "wrong type", "wrong run"],
)
def test_spoilt_record_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "timings.json"
    path.write_text(text)
    assert load(path) == Timings()


def test_removed_state_directory_stays_removed(tmp_path: Path) -> None:
    save(tmp_path / "gone" / "timings.json", Timings())
    assert list(tmp_path.iterdir()) == []
