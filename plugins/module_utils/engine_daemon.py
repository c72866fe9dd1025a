"""Start and stop the engine's daemon: by systemd where it runs, else as a process of its own.

Invariant: a process is only taken for the daemon when its name says so. After a power cut the
number in a pid file may belong to anybody.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PID_FILE = Path("/var/run/docker.pid")
CONTAINERD_PID_FILE = Path("/var/run/docker/containerd/containerd.pid")
_POLL = 0.2


class DaemonError(Exception):
    """The daemon did not do as told; the text ends with its log."""


def has_systemd() -> bool:
    """Return whether systemd is in charge: https://www.freedesktop.org/software/systemd/man/sd_booted.html."""
    return Path("/run/systemd/system").is_dir()


def running(pid_file: Path, command: str, proc: Path = Path("/proc")) -> int:
    """Return the pid in ``pid_file`` if it runs ``command``, else 0."""
    try:
        pid = int(pid_file.read_text())
        stat = (proc / str(pid) / "stat").read_text()
    except (OSError, ValueError):
        return 0
    name, state = stat[stat.index("(") + 1 : stat.rindex(")")], stat[stat.rindex(")") + 2]
    # A killed daemon stays a zombie where PID 1 does not reap what it inherits.
    return pid if name == command and state != "Z" else 0


def start(answers: Callable[[], bool], log: Path, timeout: float) -> None:
    """Start the daemon and return once it ``answers``."""
    ended = _start(log)
    deadline = time.monotonic() + timeout
    while not answers():
        if ended():
            raise DaemonError(f"dockerd ended while it started\n{_tail(log)}")
        if time.monotonic() > deadline:
            raise DaemonError(f"dockerd did not answer within {timeout:.0f} s\n{_tail(log)}")
        time.sleep(_POLL)


def _start(log: Path) -> Callable[[], bool]:
    """Start the daemon unless it is starting already; the result tells whether it has ended."""
    if has_systemd():
        _systemctl("enable", "--now", "docker.service")
        return lambda: False  # systemctl returns when the daemon is ready, or has failed
    if running(PID_FILE, "dockerd"):
        return lambda: not running(PID_FILE, "dockerd")
    _clear_stale()
    process = _launch(log)
    return lambda: process.poll() is not None


def stop(log: Path, timeout: float) -> None:
    """Stop the daemon and return once it has ended, containerd included."""
    if has_systemd():
        _systemctl("disable", "--now", "docker.socket", "docker.service")
        return
    pid = running(PID_FILE, "dockerd")
    if not pid:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while running(PID_FILE, "dockerd") == pid:
        if time.monotonic() > deadline:
            raise DaemonError(f"dockerd (pid {pid}) did not end in {timeout:.0f} s\n{_tail(log)}")
        time.sleep(_POLL)


def _clear_stale() -> None:
    """Remove pid files whose number belongs to another process by now.

    dockerd only asks whether the number is alive, and would then refuse to start, or wait for a
    containerd that is none.
    """
    for pid_file, command in ((PID_FILE, "dockerd"), (CONTAINERD_PID_FILE, "containerd")):
        if not running(pid_file, command):
            pid_file.unlink(missing_ok=True)


def _launch(log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("wb") as stream:
        return subprocess.Popen(
            ["dockerd"],
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            cwd="/",
            start_new_session=True,  # the daemon outlives the playbook and its terminal
        )


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(["systemctl", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise DaemonError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")


def _tail(log: Path, lines: int = 20) -> str:
    if has_systemd():
        unit = ["journalctl", "--unit", "docker.service", "--no-pager", "--lines", str(lines)]
        return subprocess.run(unit, capture_output=True, text=True).stdout
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return str(error)
