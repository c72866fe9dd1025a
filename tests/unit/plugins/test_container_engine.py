"""Installing an engine: what apt says is understood, and what was added is never forgotten."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible.module_utils import engine_apt, engine_daemon
from ansible.module_utils.engine_record import Record, read_record, remove_record, write_record

SIMULATION = """\
Reading package lists...
The following NEW packages will be installed:
  docker.io runc
Remv podman-docker [4.3.1]
Inst libc6 [2.36-9] (2.36-10 Debian:12/oldstable [amd64])
Inst runc (1.1.5+ds1-1+deb12u1 Debian:12/oldstable [amd64])
Inst docker.io (26.1.5+dfsg1-9 Debian:13/stable [amd64])
Conf runc (1.1.5+ds1-1+deb12u1 Debian:12/oldstable [amd64])
"""
MADISON = """\
 docker.io | 26.1.5+dfsg1-9 | http://mirror.example/debian trixie/main amd64 Packages
 docker.io | 20.10.24+dfsg1-1 | http://mirror.example/debian bookworm/main amd64 Packages
"""


def test_a_simulation_tells_new_from_upgraded() -> None:
    plan = engine_apt.parse_simulation(SIMULATION)
    assert plan == engine_apt.Simulation(added=("runc", "docker.io"), removed=("podman-docker",))


@pytest.mark.parametrize(
    ("candidate", "offers", "expected"),
    [
        pytest.param("26.1.5+dfsg1-9", MADISON, "", id="own-suite"),
        pytest.param("20.10.24+dfsg1-1", MADISON, "trixie", id="another-suite"),
        pytest.param("20.10.24+dfsg1-1", MADISON.splitlines()[1], None, id="too-old"),
        pytest.param("(none)", "", None, id="unknown"),
    ],
)
def test_the_suite_is_chosen(candidate: str, offers: str, expected: str | None) -> None:
    parsed = engine_apt.parse_offers(offers)
    assert engine_apt.choose_suite(candidate, parsed, "23.0") == expected


def test_a_record_keeps_what_earlier_runs_added(tmp_path: Path) -> None:
    path = tmp_path / "imooc" / "container_engine.json"
    assert read_record(path) == Record()
    write_record(path, Record(packages=("runc",), group="docker"))
    write_record(path, read_record(path).merged(Record(packages=("runc", "tini"), log="/l")))
    assert read_record(path) == Record(packages=("runc", "tini"), group="docker", log="/l")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    remove_record(path)
    assert not path.parent.exists()


def test_half_a_record_counts_as_none(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"packages": ["ru')
    assert read_record(path) == Record()


def test_a_stale_pid_file_is_not_the_daemon(tmp_path: Path) -> None:
    pid_file = tmp_path / "docker.pid"
    assert engine_daemon.running(pid_file, "dockerd") == 0
    pid_file.write_text(str(os.getpid()))
    assert engine_daemon.running(pid_file, "dockerd") == 0, "the number belongs to this test"
    name = Path("/proc/self/comm").read_text().strip()
    assert engine_daemon.running(pid_file, name) == os.getpid()


def test_a_zombie_is_not_the_daemon(tmp_path: Path) -> None:
    pid_file = tmp_path / "docker.pid"
    with subprocess.Popen(["true"]) as process:
        pid_file.write_text(str(process.pid))
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped yet
        assert engine_daemon.running(pid_file, "true") == 0
