"""The lines the `progress` callback prints, as pure functions of what it knows."""

from __future__ import annotations

from dataclasses import dataclass, field

from ansible.module_utils.changes import Change
from ansible.module_utils.progress_tail import Report
from ansible.module_utils.timings import StepTime, spoken

_LEAST_COLUMNS = 20  # for what is being done, however narrow the terminal


@dataclass
class Step:
    """A play with tasks to run, and what was seen of it."""

    key: str
    name: str
    number: int
    count: int
    begun: float = 0.0
    changed: bool = False
    changes: list[Change] = field(default_factory=list)
    tasks: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"step {self.number} of {self.count}: {self.name}"


@dataclass(frozen=True)
class Running:
    """The task that is running; replaced as a whole, so that the watching thread needs no lock."""

    step: Step
    name: str
    begun: float
    last_time: float | None
    progress_from: int


def run_begins(environment: str, steps: int, check_mode: bool) -> str:
    """Return the first line of a run."""
    line = f"imooc: environment {environment}, {steps} steps"
    return f"{line}, check mode: nothing will be changed" if check_mode else line


def step_begins(step: Step, known: StepTime | None) -> str:
    """Return the line that opens a step, with what is known of its duration."""
    if known is None:
        return str(step)
    past = f"last time {spoken(known.last)}"
    if known.changed is not None and abs(known.changed - known.last) >= 1:
        past += f", with changes {spoken(known.changed)}"
    return f"{step} ({past})"


def still_running(running: Running, report: Report | None, now: float, width: int) -> str:
    """Return the line that shows a long task is alive, in at most `width` columns."""
    line = f"{running.step}, {spoken(now - running.begun)}"
    if running.last_time is not None:
        line += f" (last time {spoken(running.last_time)})"
    count = ""
    if report and report.done is not None:
        count = f" ({report.done} of {report.total})" if report.total else f" ({report.done})"
    doing = report.message if report else running.name
    return f"{line}: {shortened(doing, width - len(line) - 2 - len(count))}{count}"


def run_failed(step: Step, now: float) -> str:
    """Return the last line of a run that failed in `step`."""
    return (
        f"{step} failed after {spoken(now - step.begun)}; "
        "once the cause is gone, the same command goes on from there"
    )


def exit_code(failed: bool, nothing_to_do: bool) -> int:
    """Return how a run ends that is asked for a detailed exit code, as Terraform's plan does."""
    if failed:
        return 1
    return 0 if nothing_to_do else 2


def shortened(text: str, width: int) -> str:
    """Return `text` in at most `width` columns; of a path both ends matter, so the middle goes."""
    width = max(width, _LEAST_COLUMNS)
    if len(text) <= width:
        return text
    head = (width - 3) // 2
    return f"{text[:head]}...{text[head + 3 - width :]}"
