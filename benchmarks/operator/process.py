"""A peer as a process: begun, ended, and what /proc says it used."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


class Ended(Exception):
    """A peer does not run any more."""


class Process:
    """One run of a program; its output goes to the end of a file."""

    def __init__(self, command: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.started = time.monotonic()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **environment},
                start_new_session=True,  # out of reach of the terminal's Ctrl-C
            )
        self._proc = Path(f"/proc/{self._process.pid}")

    def cpu(self) -> float:
        """Return the CPU seconds used, those of threads that have ended too."""
        self.check()
        return cpu_of(self._process.pid)

    def cpu_fine(self) -> float:
        """Return the CPU seconds used by the threads there are: nanoseconds, not ticks."""
        tasks = (self._proc / "task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9

    def resident(self) -> float:
        """Return the resident memory in MiB."""
        self.check()
        status = (self._proc / "status").read_text()
        line = next(x for x in status.splitlines() if x.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def settled_cpu(self, quiet: float = 1.0) -> float:
        """Return the CPU seconds once it has used next to none for a while."""
        used, since = self.cpu(), time.monotonic()
        while time.monotonic() - since < quiet:
            time.sleep(0.1)  # between two looks
            if (now := self.cpu()) > used + 0.01:
                used, since = now, time.monotonic()
        return self.cpu()

    def check(self) -> None:
        """Raise when it has ended."""
        if self._process.poll() is not None:
            raise Ended(f"{self._process.args!r} ended with {self._process.returncode}")

    def end(self, number: signal.Signals) -> None:
        """Send it a signal, and wait until it has ended."""
        self._process.send_signal(number)
        self._process.wait(60)

    def kill(self) -> None:
        """End it as a power cut does."""
        self.end(signal.SIGKILL)
