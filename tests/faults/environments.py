"""Environments of the tests' own: an inventory copied from `inventory/dev` under another name."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
RECAP = re.compile(r"ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")


@dataclass(frozen=True)
class Run:
    """How a playbook run ended: its exit code (negative: the signal) and all it printed."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """The number of changed tasks in the recap."""
        recap = RECAP.search(self.output)
        assert recap, f"the run printed no recap:\n{self.output}"
        return int(recap[2])


def kill_tree(pid: int) -> None:
    """Kill a process and all its descendants at once, as a power cut would.

    Ansible's workers live in sessions of their own, so a process group does not hold them all.
    """
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended while we looked
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    doomed = [pid]
    for known in doomed:
        doomed += [child for child, parent in parents.items() if parent == known]
    for known in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(known, signal.SIGKILL)


@dataclass(frozen=True)
class Environment:
    """An environment that nobody else uses; its inventory lies outside the project."""

    name: str
    inventory: Path

    @classmethod
    def create(cls, name: str, folder: Path) -> Environment:
        """Return an environment called ``name`` with the values of `inventory/dev`."""
        inventory = folder / name
        shutil.copytree(PROJECT / "inventory" / "dev", inventory)
        return cls(name, inventory)

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, name: str, folder: Path, tags: str = "") -> Iterator[Environment]:
        """Have one in which the steps of ``tags`` were run; removed afterwards, whatever it is."""
        environment = cls.create(name, folder)
        try:
            if tags:
                up = environment.run("--tags", tags)
                assert up.code == 0, up.output
            yield environment
        finally:
            down = environment.run(playbook="playbooks/down.yml")
            assert down.code == 0, down.output

    @property
    def state(self) -> Path:
        """The state directory that the project gives this environment."""
        return PROJECT / "state" / self.name

    def run(
        self,
        *arguments: str,
        playbook: str = "site.yml",
        variables: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
        kill_in: tuple[str, float] | None = None,
        within: Sequence[str] = (),
    ) -> Run:
        """Run a playbook to its end, or kill it and its children so many seconds into a step.

        ``within`` is a command that runs the one given to it, such as ``unshare``.
        """
        command = [*within, str(PLAYBOOK), "-i", str(self.inventory), playbook, *arguments]
        if variables:
            command += ["-e", json.dumps(variables)]
        path = f"{PLAYBOOK.parent}{os.pathsep}{os.environ['PATH']}"
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env={**os.environ, "PATH": path, "ANSIBLE_NOCOLOR": "1", **(environ or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        lines = []
        assert process.stdout
        with process:
            for line in process.stdout:
                lines.append(line)
                if kill_in and line.startswith("step ") and f": {kill_in[0]}" in line:
                    threading.Timer(kill_in[1], kill_tree, [process.pid]).start()
                    kill_in = None
        return Run(process.returncode, "".join(lines))
