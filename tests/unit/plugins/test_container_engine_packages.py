"""What was installed is written down before, and nothing else is removed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import engine_apt
from ansible.module_utils.engine_apt import Simulation
from ansible.module_utils.engine_record import Record, read_record, write_record
from ansible.module_utils.testing import patch_module_args

from plugins.modules import container_engine_packages as packages

Run = Callable[..., dict[str, Any]]


class Apt:
    """A machine's packages; installing and removing change them as a simulation announces."""

    def __init__(self) -> None:
        self.present: list[str] = []
        self.needed_by: dict[str, str] = {}
        self.at_install: Callable[[], None] = lambda: None

    def simulate(self, action: str, names: Sequence[str]) -> Simulation:
        if action == "install":
            return Simulation(("runc", *names), ())
        return Simulation((), (*names, *self.needed_by))

    def install(self, names: Sequence[str]) -> None:
        self.at_install()
        self.present += ["runc", *names]

    def installed(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if name in self.present]

    def remove(self, names: Sequence[str], *, purge: bool) -> None:
        if purge:
            self.present = [name for name in self.present if name not in names]


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Apt:
    """A Debian whose own engine is new enough, and without any."""
    apt = Apt()
    for name in ("simulate", "install", "installed", "remove"):
        monkeypatch.setattr(engine_apt, name, getattr(apt, name))
    for name in ("heal", "update"):
        monkeypatch.setattr(engine_apt, name, lambda: None)
    monkeypatch.setattr(engine_apt, "find_suite", lambda package, least: "")
    monkeypatch.setattr(engine_apt, "list_files", lambda sources: [])
    monkeypatch.setattr(packages, "distribution", lambda: {"ID": "debian"})
    monkeypatch.setattr(
        packages, "missing", lambda: [] if "docker.io" in apt.present else ["docker.io"]
    )
    monkeypatch.setattr(packages, "_DATA", (str(tmp_path / "data"),))
    monkeypatch.setattr(packages, "_TRACES", (str(tmp_path / "traces"),))
    monkeypatch.setattr(packages, "_GROUP", "root")  # a group that was there before
    monkeypatch.setattr(packages, "_BRIDGE", "no-such-bridge")
    monkeypatch.setattr(packages, "_NUKE", tmp_path / "nuke")
    return apt


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Where it is written down."""
    return tmp_path / "imooc" / "record.json"


@pytest.fixture
def run(record: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the module."""

    def call(**arguments: object) -> dict[str, Any]:
        with (
            patch_module_args({"version": "23.0", "record": str(record), **arguments}),
            pytest.raises(SystemExit),
        ):
            packages.main()
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    return call


def test_what_is_installed_is_written_down_before(apt: Apt, run: Run, record: Path) -> None:
    known: list[Record] = []
    apt.at_install = lambda: known.append(read_record(record))
    assert run()["changed"] is True
    assert known == [read_record(record)]
    assert known[0].packages == ("runc", "docker.io")
    assert run()["changed"] is False


def test_check_mode_installs_nothing(apt: Apt, run: Run, record: Path) -> None:
    result = run(_ansible_check_mode=True)
    assert (result["changed"], result["packages"]) == (True, ["docker.io"])
    assert apt.present == []
    assert not record.exists()


def test_elsewhere_a_person_is_told_what_to_do(
    apt: Apt, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = {"ID": "fedora", "PRETTY_NAME": "Fedora Linux 44"}
    monkeypatch.setattr(packages, "distribution", lambda: release)
    result = run()
    assert result["failed"] is True
    assert "Fedora Linux 44" in result["msg"]
    assert "https://docs.docker.com/engine/install/" in result["msg"]


@pytest.mark.parametrize("data_too", [False, True])
def test_absent_removes_only_what_was_installed(
    apt: Apt, run: Run, record: Path, tmp_path: Path, data_too: bool
) -> None:
    apt.present = ["iptables"]
    run()
    source = tmp_path / "imooc-trixie.sources"
    log = tmp_path / "dockerd.log"
    for file in (source, log, tmp_path / "dockerd.log.1", tmp_path / "of-somebody-else"):
        file.touch()
    for folder in ("data", "traces"):
        (tmp_path / folder).mkdir()
    write_record(record, read_record(record).merged(Record(files=(str(source),), log=str(log))))

    result = run(state="absent", remove_data=data_too)
    assert (result["changed"], result["packages"]) == (True, ["runc", "docker.io"])
    assert apt.present == ["iptables"]
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"of-somebody-else"} | (set() if data_too else {"data"})
    assert run(state="absent")["changed"] is False


def test_absent_keeps_what_others_need(apt: Apt, run: Run, record: Path) -> None:
    run()
    apt.needed_by = {"somebodys-tool": "docker.io"}
    result = run(state="absent")
    assert result["failed"] is True
    assert "somebodys-tool" in result["msg"]
    assert apt.present == ["runc", "docker.io"]
    assert record.exists()


def test_absent_without_a_record_removes_nothing(apt: Apt, run: Run) -> None:
    apt.present = ["docker.io"]  # somebody else's
    result = run(state="absent")
    assert (result["changed"], result["packages"]) == (False, [])
    assert apt.present == ["docker.io"]
