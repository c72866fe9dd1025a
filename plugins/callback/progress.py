"""Tell the person waiting which step of how many runs, and that long work is alive.

Stands beside Ansible's own output and adds plain lines to it: one when a step begins, one at least
every ten seconds while a task lasts, one or the summary at the end. Invariant: where nothing is
long and nothing is a step it prints nothing, and in check mode it writes nothing.

Lines are never rewritten in place: Ansible prints before it calls this plugin, so a status line
could not be erased in time, and plain lines read the same in a terminal, a pipe and a CI log.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible.module_utils
from ansible import constants, context
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar

# Ansible offers module_utils to modules only; its own plugins find the project's through this. The
# action plugins rely on it too: Ansible imports every callback plugin before any of them.
_MODULE_UTILS = str(Path(__file__).resolve().parents[1] / "module_utils")
if _MODULE_UTILS not in ansible.module_utils.__path__:
    ansible.module_utils.__path__.append(_MODULE_UTILS)

from ansible.module_utils import (  # noqa: E402 - see above
    change_report,
    progress_lines,
    progress_tail,
    timings,
)
from ansible.module_utils.progress import VARIABLE as PROGRESS_VARIABLE  # noqa: E402 - see above
from ansible.module_utils.progress_lines import Running, Step  # noqa: E402 - see above

DOCUMENTATION = """
name: progress
type: aggregate
short_description: Steps, signs of life and durations beside Ansible's own output
description:
  - A step is a play with tasks to run. Its line says its number and how long it took last time.
  - While a task lasts, the newest line of C(progress.jsonl) is shown at least every 10 seconds.
  - Durations are kept in C(timings.json). Both files lie in the directory that the variable
    C(environment_state_dir) names; without that variable the plugin stays silent.
requirements:
  - enable in configuration
"""

# A line is due after this long; with the time between two looks it stays under ten seconds.
_QUIET_SECONDS = 9.0
_LOOK_SECONDS = 0.5
_LOG_COLUMNS = 160
_COLOR = "bright blue"
_SUMMARIES = frozenset({"stack_summary", "stack_status"})  # modules whose `text` ends the run
_TAGS_OF_NO_STEP = frozenset({"always", "never"})


@dataclass(frozen=True)
class Environment:
    """What the variables say about the environment this run is for, and what it is to report."""

    name: str
    state_dir: Path
    view: change_report.View | None = None
    detailed_exitcode: bool = False

    @property
    def progress_file(self) -> Path:
        """Where modules report what they are doing."""
        return self.state_dir / str(progress_tail.FILE_NAME)

    @property
    def timings_file(self) -> Path:
        """Where durations are kept between runs."""
        return self.state_dir / str(timings.FILE_NAME)


class Watcher(threading.Thread):
    """Calls `look` twice a second until stopped.

    Ansible's main process has a thread of its own already (the strategy's, for results), so forking
    workers beside one is what it is built for: everything is printed through Display, whose lock is
    held during a fork.
    """

    def __init__(self, look: Callable[[], None]) -> None:
        super().__init__(name="progress", daemon=True)
        self._look = look
        self._stopped = threading.Event()

    def run(self) -> None:
        """Look until stopped; an exception ends only this thread, with its traceback on stderr."""
        while not self._stopped.wait(_LOOK_SECONDS):
            self._look()

    def stop(self) -> None:
        """Return when the thread has ended: it must not print while the interpreter goes down."""
        self._stopped.set()
        self.join()


class CallbackModule(CallbackBase):  # type: ignore[misc]  # ansible-core has no types
    """Follows plays and tasks; of an exception here Ansible makes a warning, never a failure."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._environment: Environment | None = None
        self._playbook = ""
        self._timings = timings.Timings()
        self._steps: dict[str, Step] = {}  # by the uuid of the play
        self._step: Step | None = None
        self._running: Running | None = None
        self._hosts_running: set[str] = set()
        self._spoke = 0.0
        self._summary: str | None = None
        self._watcher: Watcher | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Count the steps and say what will happen."""
        plays = playbook.get_plays()
        self._environment = _environment(plays)
        if self._environment is None:
            return
        self._playbook = Path(playbook._file_name).stem
        self._timings = timings.load(self._environment.timings_file)
        self._timings.runs[self._playbook] = timings.Run(began=time.time())
        self._steps = _steps(self._playbook, plays)
        check_mode = context.CLIARGS["check"]
        if self._environment.view and not check_mode:
            # Of any other exception here Ansible would make a warning, and run.
            sys.exit(f"{self._environment.view} looks and changes nothing: add --check")
        if self._environment.view:
            change_report.forget(self._environment.state_dir, self._environment.view)
        if not check_mode:
            self._environment.progress_file.unlink(missing_ok=True)
            # Workers are forked from here, and what runs on this machine inherits it from them.
            os.environ[PROGRESS_VARIABLE] = str(self._environment.progress_file)
        if len(self._steps) > 1:
            name = self._environment.name
            self._print(progress_lines.run_begins(name, len(self._steps), check_mode))
        self._watcher = Watcher(self._look)
        self._watcher.start()
        # A run that is interrupted never reaches v2_playbook_on_stats.
        atexit.register(self._watcher.stop)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Open the step of this play; that it starts says that the one before succeeded."""
        self._end_step()
        self._step = self._steps.get(play._uuid)
        if self._step is None:
            return
        self._step.begun = time.monotonic()
        if len(self._steps) > 1:
            known = self._timings.steps.get(self._step.key)
            self._print(progress_lines.step_begins(self._step, known))

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Watch this task."""
        # Ansible leaves its lines in a buffer where there is no terminal: the banner of a task
        # would appear when the task is over.
        sys.stdout.flush()
        if self._step is None or self._environment is None:
            return
        now = self._spoke = time.monotonic()
        name = task.get_name().strip()
        self._running = Running(
            step=self._step,
            name=name,
            begun=now,
            last_time=self._timings.task_seconds(self._step.key, name),
            progress_from=progress_tail.size(self._environment.progress_file),
        )

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Watch this handler."""
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Remember who works on the task: it lasts until the last of them is done."""
        self._hosts_running.add(host.get_name())

    def v2_runner_on_ok(self, result: Any) -> None:
        """Take note of a change, and keep the summary for the end."""
        self._end_task(result)
        if self._step:
            self._step.changed |= result.is_changed()
            name = result.task.get_name().strip()
            self._step.changes += change_report.told_by(name, result.result)
        if result.task.action in _SUMMARIES:
            self._summary = result.result["text"]

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Stop watching; whether the step failed is known at the end, a rescue may follow."""
        self._end_task(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Stop watching."""
        self._end_task(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Stop watching."""
        self._end_task(result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Close the last step and say the last word, below Ansible's recap."""
        if self._watcher:
            self._watcher.stop()
        totals = [stats.summarize(host) for host in stats.processed]
        failed = any(total["failures"] or total["unreachable"] for total in totals)
        if failed and self._step and len(self._steps) > 1:
            line = progress_lines.run_failed(self._step, time.monotonic())
            self._print(line, color=constants.COLOR_ERROR)
        if not failed:
            self._end_step()
        self._end_run(self._step.name if failed and self._step else "")
        report = self._report(complete=not failed)
        if report and not failed:
            self._print(report.text(), color=None)
        # In check mode the report is the last word of a whole run, not what is there by then.
        if self._summary and not (report and context.CLIARGS["check"]):
            self._print(f"\n{self._summary}" if report else self._summary, color=None)
        if report and self._asked_for_code:
            # Ansible makes a warning of any other exception; all that follows is cleaning up.
            sys.exit(progress_lines.exit_code(failed, report.empty))

    @property
    def _asked_for_code(self) -> bool:
        """Whether the exit code is to say if there is something to do; a real run leaves none."""
        asked = self._environment is not None and self._environment.detailed_exitcode
        return asked and bool(context.CLIARGS["check"])

    def _report(self, *, complete: bool) -> change_report.Report | None:
        """Return what the run changed, kept in the state directory; None where nobody asks."""
        environment = self._environment
        asked = environment is not None and (environment.view or self._asked_for_code)
        if environment is None or not (asked or len(self._steps) > 1):
            return None
        check_mode = context.CLIARGS["check"]
        report = change_report.Report(
            environment=environment.name,
            view=environment.view or ("plan" if check_mode else "applied"),
            steps=[
                change_report.StepChanges(step.name, step.changes) for step in self._steps.values()
            ],
            complete=complete,
        )
        if environment.view and complete:
            report.save(environment.state_dir, make=True)
        elif not check_mode:
            report.save(environment.state_dir, make=False)
        return report

    def _end_step(self) -> None:
        """Record the step that has just succeeded."""
        step, self._step = self._step, None
        self._running = None
        if step is None or self._environment is None or context.CLIARGS["check"]:
            return
        seconds = time.monotonic() - step.begun
        self._timings.finish_step(step.key, seconds, step.changed, step.tasks)
        timings.save(self._environment.timings_file, self._timings)

    def _end_run(self, failed: str) -> None:
        """Record that the run is over, and in which step it failed, if it did."""
        if self._environment is None or context.CLIARGS["check"]:
            return
        run = self._timings.run_of(self._playbook)
        run.ended, run.failed = time.time(), failed
        timings.save(self._environment.timings_file, self._timings)

    def _end_task(self, result: Any) -> None:
        self._hosts_running.discard(result.host.get_name())
        if self._hosts_running or self._running is None:
            return
        running, self._running = self._running, None
        running.step.tasks[running.name] = time.monotonic() - running.begun

    def _look(self) -> None:
        """Print a line when a task has been silent for long; runs in the watcher's thread."""
        running, now = self._running, time.monotonic()
        if running is None or self._environment is None or now - self._spoke < _QUIET_SECONDS:
            return
        self._spoke = now
        report = progress_tail.newest(self._environment.progress_file, running.progress_from)
        width = self._display.columns if sys.stdout.isatty() else _LOG_COLUMNS
        self._print(progress_lines.still_running(running, report, now, width))

    def _print(self, text: str, color: str | None = _COLOR) -> None:
        # Another stdout callback may feed a program; these lines are for people and step aside.
        aside = constants.DEFAULT_STDOUT_CALLBACK not in ("default", "ansible.builtin.default")
        self._display.display(text, color=color, stderr=aside)
        (sys.stderr if aside else sys.stdout).flush()


def _environment(plays: list[Any]) -> Environment | None:
    """Return the environment of the first host; None in a playbook that has none."""
    for play in plays:
        manager = play.get_variable_manager()
        # There is no public way from a playbook to its inventory before its first play begins.
        for host in manager._inventory.get_hosts(play.hosts):
            variables = manager.get_vars(play=play, host=host)
            if "environment_state_dir" not in variables or "environment_name" not in variables:
                return None
            templar = Templar(loader=play.get_loader(), variables=variables)
            view = variables.get("report_view")
            return Environment(
                name=str(templar.template(variables["environment_name"])),
                state_dir=Path(str(templar.template(variables["environment_state_dir"]))),
                view=view if view in change_report.VIEWS else None,
                detailed_exitcode=boolean(variables.get("detailed_exitcode", False)),
            )
    return None


def _steps(playbook: str, plays: list[Any]) -> dict[str, Step]:
    """Return the plays that the chosen tags leave something to do, numbered from 1."""
    working = [(play._uuid, _step_name(play)) for play in plays if _has_work(play)]
    return {
        uuid: Step(key=f"{playbook}/{name}", name=name, number=number, count=len(working))
        for number, (uuid, name) in enumerate(working, start=1)
    }


def _has_work(play: Any) -> bool:
    variables = play.get_variable_manager().get_vars(play=play)
    return any(
        # Ansible adds these two by itself, whatever the tags.
        not task.implicit and task.action != "ansible.builtin.validate_argument_spec"
        for block in play.compile()
        for task in block.filter_tagged_tasks(variables).get_tasks()
    )


def _step_name(play: Any) -> str:
    """Return the word people use for the step: its tag, or else the play's name."""
    tags = [*play.tags, *(tag for role in play.get_roles() for tag in role.tags)]
    return next((str(tag) for tag in tags if tag not in _TAGS_OF_NO_STEP), play.get_name().strip())
