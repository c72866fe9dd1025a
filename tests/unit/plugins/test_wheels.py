"""Unpacked wheels are complete or not there, and are fetched once."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from ansible.module_utils import wheels


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.lock"
    file.write_text("demo==1 --hash=sha256:0\n")
    return file


def fake_download(lock: Path, target: Path, python_version: str, machine: str) -> None:
    """Put one wheel down that uses the platlib scheme."""
    target.mkdir()
    with zipfile.ZipFile(target / f"demo-1-cp313-cp313-{machine}.whl", "w") as wheel:
        wheel.writestr("demo/__init__.py", "")
        wheel.writestr("demo-1.data/platlib/demo_native.py", "")


def test_the_platform_scheme_comes_to_the_same_place(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "_download", fake_download)
    folder = wheels.site_packages(lock, tmp_path / "cache", "3.13", "amd64")
    found = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert found == ["demo/__init__.py", "demo_native.py"]
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder.name]


def test_the_same_lock_is_fetched_once_and_another_python_anew(
    lock: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "_download", fake_download)
    first = wheels.site_packages(lock, tmp_path / "cache", "3.13", "amd64")
    monkeypatch.setattr(wheels, "_download", None)  # calling it would fail
    assert wheels.site_packages(lock, tmp_path / "cache", "3.13", "amd64") == first
    with pytest.raises(TypeError):
        wheels.site_packages(lock, tmp_path / "cache", "3.14", "amd64")


def test_a_wheel_that_no_index_has_leaves_nothing_behind(lock: Path, tmp_path: Path) -> None:
    lock.write_text(f"demo @ file://{tmp_path}/nowhere.whl --hash=sha256:{'0' * 64}\n")
    with pytest.raises(wheels.WheelsFailed, match="pip download"):
        wheels.site_packages(lock, tmp_path / "cache", "3.13", "amd64")
    assert list((tmp_path / "cache").iterdir()) == []
