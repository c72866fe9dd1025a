"""Programs run for an image: their output becomes progress, their failure a cure.

Invariant: a program started here ends with the process that started it, even
when that is killed, so the next run never meets a half-dead predecessor.
"""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

_TAIL = 25  # lines of output shown with a failure

# What a program prints when the machine, not the recipe, is at fault.
_CURES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("No space left on device", "no space left on device"),
        "the disk is full: free some space (docker system df shows what the engine holds), "
        "or point images_cache_dir to a larger disk",
    ),
    (
        (
            "Could not resolve",
            "Temporary failure resolving",
            "no such host",
            "Failed to establish a new connection",
            "connection refused",
            "Connection refused",
            "i/o timeout",
            "TLS handshake timeout",
            "network is unreachable",
            "Couldn't download packages",
            "Failed getting release file",
        ),
        "a package mirror does not answer: check the network and the proxy variables, "
        "GOPROXY for Go modules, pip's index-url for Go itself, "
        "images_debian_mirror for Debian packages",
    ),
)


class ImageError(Exception):
    """An image cannot be had; the message says what was done, why not, and the cure."""


def cure(output: str) -> str:
    """Return what the user can do about a failure with this output, or ''."""
    for symptoms, advice in _CURES:
        if any(symptom in output for symptom in symptoms):
            return advice
    return ""


def run(
    what: str,
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: IO[bytes] | None = None,
    on_line: Callable[[str], None] | None = None,
) -> str:
    """Run a program to its end and return its output, standard error included.

    Raises:
        ImageError: it cannot be started or fails; the message has the last lines.
    """
    tail: deque[str] = deque(maxlen=_TAIL)
    lines: list[str] = []
    try:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *map(str, command)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=stdin or subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise ImageError(f"{what}: cannot start {command[0]}: {error}") from error
    with process:
        assert process.stdout is not None  # noqa: S101  # for the type checker: it is a pipe
        for raw in process.stdout:
            line = raw.decode(errors="replace").rstrip()
            tail.append(line)
            lines.append(line)
            if on_line is not None and line:
                on_line(line)
    if process.returncode != 0:
        advice = cure("\n".join(tail))
        raise ImageError(
            f"{what} failed (exit {process.returncode})"
            + (f"; {advice}" if advice else "")
            + ". Last lines:\n"
            + "\n".join(tail)
        )
    return "\n".join(lines)
