"""Debian's mirror and tools: this machine's own before anything else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible.module_utils import images_host
from ansible.module_utils.images_host import main_archive, missing_commands, prepare, require_space
from ansible.module_utils.images_process import ImageError


@pytest.mark.parametrize(
    ("sources", "archive"),
    [
        (["http://a/debian-security/", "http://a/debian/"], "http://a/debian/"),
        (["https://mirror.example/pub/debian"], "https://mirror.example/pub/debian"),
        (["http://a/ubuntu/", "cdrom:/debian"], ""),
        ([], ""),
    ],
)
def test_the_main_archive_among_the_sources(sources: list[str], archive: str) -> None:
    assert main_archive(sources) == archive


def test_missing_programs_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert missing_commands() == list(images_host.COMMANDS)


def test_a_disk_too_small_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    require_space(tmp_path, "images_cache_dir", free // 2)
    with pytest.raises(ImageError, match=f"images_cache_dir is {tmp_path}.* larger disk"):
        require_space(tmp_path, "images_cache_dir", free * 2)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache with debootstrap fetched by an earlier run."""
    program = tmp_path / "debian-tools/usr/sbin/debootstrap"
    program.parent.mkdir(parents=True)
    program.write_text('VERSION=1\nDEF_MIRROR="http://default/debian"\n')
    return tmp_path


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine that has neither debootstrap nor sources."""
    monkeypatch.setattr(images_host, "ROOT", tmp_path / "bare")
    monkeypatch.setattr(images_host, "_package_sources", list)


@pytest.mark.usefixtures("bare")
def test_a_fetched_debootstrap_is_used_with_its_own_default(cache: Path, tmp_path: Path) -> None:
    tools = prepare(Path("no-script"), cache, tmp_path / "work", "")
    assert tools.debootstrap == cache / "debian-tools/usr/sbin/debootstrap"
    assert tools.mirror == "http://default/debian"
    assert tools.environment["DEBOOTSTRAP_DIR"].endswith("usr/share/debootstrap")


@pytest.mark.usefixtures("bare")
def test_debootstrap_finds_a_wget_on_a_machine_without_one(cache: Path, tmp_path: Path) -> None:
    folder = Path(__file__).parents[3] / "roles/images/files/debian"
    tools = prepare(folder / "fetch_own.sh", cache, tmp_path / "work", "")
    found = shutil.which("wget", path=tools.environment["PATH"])
    assert found == str(folder / "bin/wget")


@pytest.mark.usefixtures("bare")
def test_a_wanted_mirror_is_taken(cache: Path, tmp_path: Path) -> None:
    tools = prepare(Path("no-script"), cache, tmp_path / "work", "http://wanted/debian/")
    assert tools.mirror == "http://wanted/debian"


@pytest.mark.usefixtures("bare")
def test_without_any_mirror_the_variable_is_named(cache: Path, tmp_path: Path) -> None:
    (cache / "debian-tools/usr/sbin/debootstrap").write_text("VERSION=1\n")
    with pytest.raises(ImageError, match="set images_debian_mirror"):
        prepare(Path("no-script"), cache, tmp_path / "work", "")
