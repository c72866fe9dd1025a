"""Run kind's own command line.

Invariant: kind never outlives the task that started it, so that a run that was killed leaves a
half-made cluster, which the next run recognises, and not one that somebody else is still making.
"""

from __future__ import annotations

import ctypes
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.engine_client import Engine
from ansible.module_utils.progress import report

_PR_SET_PDEATHSIG = 1
_STEP = re.compile(r"^\s*[•*]\s+(.*?)\s*(?:\.\.\.)?\s*$")
_DECORATION = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[^\x20-\x7e•]")


class KindFailed(Exception):
    """kind ended with an error; the message holds the end of what it printed."""


def create(
    kind: str,
    config: dict[str, Any],
    kubeconfig: Path,
    engine: Engine,
    seconds: float,
) -> None:
    """Create the cluster that ``config`` describes; its containers stay when that fails."""
    argv = [kind, "create", "cluster", "--config", "-", "--kubeconfig", str(kubeconfig), "--retain"]
    environment = {
        key: value
        for key, value in engine.command_environment().items()
        if "KIND_EXPERIMENTAL" not in key
    } | {"KIND_EXPERIMENTAL_PROVIDER": "docker"}
    lines: list[str] = []
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as wish:
        wish.write(yaml.safe_dump(config, sort_keys=False))
        wish.seek(0)
        process = subprocess.Popen(
            argv,
            stdin=wish,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
            preexec_fn=_die_with_parent,
        )
    deadline = threading.Timer(seconds, process.kill)
    deadline.start()
    try:
        for line in process.stdout or ():
            text = _DECORATION.sub("", line).rstrip()
            lines.append(text)
            if step := _STEP.match(text):
                report(f"kind: {step[1]}")
        code = process.wait()
    finally:
        deadline.cancel()
    if code != 0:
        spent = time.monotonic() - started
        why = f"exit code {code}" if spent < seconds else f"not finished after {seconds:.0f} s"
        raise KindFailed(f"kind create cluster: {why}\n" + "\n".join(lines[-40:]))


def _die_with_parent() -> None:
    """Have the kernel kill this process when the one that started it is gone, however it went."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
