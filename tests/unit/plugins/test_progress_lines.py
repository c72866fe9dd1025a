"""The lines a waiting person reads."""

from __future__ import annotations

import pytest
from ansible.module_utils import progress_lines as lines
from ansible.module_utils.progress_lines import Running, Step
from ansible.module_utils.progress_tail import Report
from ansible.module_utils.timings import StepTime


def step() -> Step:
    return Step(key="site/cluster", name="cluster", number=4, count=12, begun=100.0)


def running(last_time: float | None) -> Running:
    return Running(step(), "Create the cluster", 100.0, last_time, 0)


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (None, "step 4 of 12: cluster"),
        (StepTime(21.0), "step 4 of 12: cluster (last time 21 s)"),
        (StepTime(21.0, 21.0), "step 4 of 12: cluster (last time 21 s)"),
        (StepTime(0.4, 21.0), "step 4 of 12: cluster (last time 0.4 s, with changes 21 s)"),
    ],
    ids=["first time", "never changed", "changed last time", "idle last time"],
)
def test_step_begins(known: StepTime | None, line: str) -> None:
    assert lines.step_begins(step(), known) == line


@pytest.mark.parametrize(
    ("report", "last_time", "line"),
    [
        (None, None, "step 4 of 12: cluster, 20 s: Create the cluster"),
        (Report("joining"), 31.0, "step 4 of 12: cluster, 20 s (last time 31 s): joining"),
        (Report("pulling", 3), None, "step 4 of 12: cluster, 20 s: pulling (3)"),
        (Report("pulling", 0, 9), None, "step 4 of 12: cluster, 20 s: pulling (0 of 9)"),
    ],
    ids=["silent task", "known duration", "open count", "count"],
)
def test_still_running(report: Report | None, last_time: float | None, line: str) -> None:
    assert lines.still_running(running(last_time), report, 120.0, 80) == line


def test_long_message_loses_its_middle_and_keeps_the_count() -> None:
    report = Report("compiling k8s.io/kubernetes/" + "pkg/" * 40 + "kubelet", 312, 2841)
    line = lines.still_running(running(373.0), report, 120.0, 90)
    assert len(line) == 90
    assert line.startswith("step 4 of 12: cluster, 20 s (last time 6 min 13 s): compi")
    assert line.endswith("kubelet (312 of 2841)")


def test_narrow_terminal_still_shows_something() -> None:
    line = lines.still_running(running(None), Report("a" * 50), 120.0, 10)
    assert line == "step 4 of 12: cluster, 20 s: aaaaaaaa...aaaaaaaaa"


def test_run_failed_names_step_and_cure() -> None:
    assert lines.run_failed(step(), 112.0) == (
        "step 4 of 12: cluster failed after 12 s; "
        "once the cause is gone, the same command goes on from there"
    )


@pytest.mark.parametrize(
    ("failed", "nothing_to_do", "code"),
    [(False, True, 0), (True, True, 1), (True, False, 1), (False, False, 2)],
)
def test_exit_code(failed: bool, nothing_to_do: bool, code: int) -> None:
    assert lines.exit_code(failed, nothing_to_do) == code
