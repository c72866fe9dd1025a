"""Runs steps that need each other's results, independent ones side by side.

Invariant: a step starts only when all it needs has succeeded; after a failure no
further step starts, and the first failure is the one reported.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from ansible.module_utils.progress import report
from ansible.module_utils.progress_lines import shortened

_HEARTBEAT = 5.0  # seconds between two reports while nothing new is said
_PART_COLUMNS = 60  # of a line, for each of several steps: one long name must not hide the others


@dataclass(frozen=True, slots=True)
class Step:
    """A piece of work; `run` is called with a function that takes progress lines."""

    name: str
    run: Callable[[Callable[[str], None]], None]
    needs: Sequence[str] = ()


class _Board:
    """What each running step said last, shown as one line."""

    def __init__(self, total: int) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}
        self._shown = 0.0
        self.done = 0
        self._total = total

    def say(self, step: str, line: str) -> None:
        with self._lock:
            self._last[step] = line
            due = time.monotonic() - self._shown >= 1.0
        if due:
            self.show()

    def end(self, step: str) -> None:
        with self._lock:
            self._last.pop(step, None)
            self.done += 1

    def show(self) -> None:
        with self._lock:
            self._shown = time.monotonic()
            parts = [f"{step}: {line}" if line else step for step, line in self._last.items()]
            if len(parts) > 1:
                parts = [shortened(part, _PART_COLUMNS) for part in parts]
            text = "; ".join(parts)
        if text:
            report(text, done=self.done, total=self._total)


def run_steps(steps: Sequence[Step], workers: int = 4) -> dict[str, float]:
    """Run all steps and return the seconds each took, by name.

    Raises the first failure after the steps that were running have ended.
    """
    waiting = {step.name: step for step in steps}
    unknown = {need for step in steps for need in step.needs} - waiting.keys()
    if unknown:
        raise ValueError(f"steps need what no step makes: {sorted(unknown)}")
    board = _Board(len(steps))
    seconds: dict[str, float] = {}
    running: dict[Future[float], str] = {}
    failure: BaseException | None = None

    def work(step: Step) -> float:
        began = time.monotonic()
        board.say(step.name, "")
        try:
            step.run(lambda line: board.say(step.name, line))
        finally:
            board.end(step.name)
        return time.monotonic() - began

    with ThreadPoolExecutor(max_workers=workers) as pool:
        while running or (waiting and failure is None):
            ready = [step for step in waiting.values() if set(step.needs) <= seconds.keys()]
            if failure is None:
                for step in ready:
                    del waiting[step.name]
                    running[pool.submit(work, step)] = step.name
            if not running:
                raise ValueError(f"steps need each other: {sorted(waiting)}")
            finished, _ = wait(running, timeout=_HEARTBEAT, return_when=FIRST_COMPLETED)
            board.show()
            for future in finished:
                name = running.pop(future)
                error = future.exception()
                if error is None:
                    seconds[name] = future.result()
                else:
                    failure = failure or error
    if failure is not None:
        raise failure
    return seconds
