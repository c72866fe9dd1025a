"""Steps: each after what it needs, independent ones at the same time."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible.module_utils.images_steps import Step, _Board, run_steps

Say = Callable[[str], None]


def recording(log: list[str], name: str) -> Callable[[Say], None]:
    return lambda say: log.append(name)


def test_a_step_runs_after_all_it_needs() -> None:
    log: list[str] = []
    steps = [
        Step("image", recording(log, "image"), needs=["compile", "files"]),
        Step("compile", recording(log, "compile"), needs=["download"]),
        Step("files", recording(log, "files")),
        Step("download", recording(log, "download")),
    ]
    seconds = run_steps(steps)
    assert log[-1] == "image"
    assert log.index("download") < log.index("compile")
    assert set(seconds) == {"image", "compile", "files", "download"}


def test_independent_steps_run_side_by_side() -> None:
    # Passes only when both are inside at once; the deadline ends a sequential run.
    meeting = threading.Barrier(2, timeout=10)
    steps = [Step(name, lambda say: meeting.wait() and None) for name in ("a", "b")]
    run_steps(steps)


def test_after_a_failure_no_further_step_starts() -> None:
    log: list[str] = []

    def fail(say: Say) -> None:
        raise OSError("disk full")

    steps = [Step("first", fail), Step("second", recording(log, "second"), needs=["first"])]
    with pytest.raises(OSError, match="disk full"):
        run_steps(steps)
    assert log == []


def test_what_runs_is_finished_before_a_failure_is_raised() -> None:
    failed = threading.Event()
    log: list[str] = []

    def fail(say: Say) -> None:
        failed.set()
        raise OSError("no")

    def slow(say: Say) -> None:
        assert failed.wait(10)
        log.append("ended")

    with pytest.raises(OSError, match="no"):
        run_steps([Step("fail", fail), Step("slow", slow)])
    assert log == ["ended"]


def test_a_need_that_no_step_makes_is_named() -> None:
    with pytest.raises(ValueError, match="compile"):
        run_steps([Step("image", lambda say: None, needs=["compile"])])


def test_steps_that_need_each_other_are_named() -> None:
    steps = [
        Step("a", lambda say: None, needs=["b"]),
        Step("b", lambda say: None, needs=["a"]),
    ]
    with pytest.raises(ValueError, match=r"\['a', 'b'\]"):
        run_steps(steps)


def test_nothing_to_do_is_done() -> None:
    assert run_steps([]) == {}


def test_progress_tells_what_runs(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{tmp_path}/progress.jsonl"
    monkeypatch.setenv("IMOOC_PROGRESS_FILE", path)
    run_steps([Step("compile", lambda say: say("k8s.io/kubernetes/pkg/apis/core"))])
    with open(path) as stream:  # noqa: PTH123  # the path is text here, as the variable's value is
        assert '"compile' in stream.read()


def test_a_long_line_of_one_step_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "progress.jsonl"
    monkeypatch.setenv("IMOOC_PROGRESS_FILE", str(path))
    board = _Board(2)
    board.say("go", "compiling k8s.io/kubernetes/" + "pkg/" * 40 + "kubelet")
    board.say("rootfs", "Retrieving grep 3.8-5")
    board.show()
    [*_, newest] = map(json.loads, path.read_text().splitlines())
    go, rootfs = newest["message"].split("; ")
    assert go.startswith("go: compiling k8s.io/")
    assert go.endswith("kubelet")
    assert len(go) <= 60
    assert rootfs == "rootfs: Retrieving grep 3.8-5"
