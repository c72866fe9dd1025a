"""A bundle is checked whole before anything of it is used."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest
from ansible.module_utils import images_bundle
from ansible.module_utils.images_bundle import read_manifest, save, unpack
from ansible.module_utils.images_process import ImageError
from ansible.module_utils.images_state import STAMP, Found, Settings, State

TOOLS = ("kind", "kubectl")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A machine with tools in its folder."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in TOOLS:
        (folder / name).write_text(f"program {name}")
    (folder / STAMP).write_text(json.dumps({"kind": {"key": "k"}}))
    return Settings(
        files=tmp_path / "files",
        source="auto",
        mirror="",
        published={},
        cache=tmp_path / "cache",
        bin=folder,
        state=tmp_path / "state",
        debian_mirror="",
    )


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What the engine was given to load; it saves images as a few bytes."""
    calls: list[bytes] = []

    def fake_run(what: str, command: list[object]) -> str:
        Path(str(command[3])).write_bytes(b"images: " + str(command[4]).encode())
        return ""

    monkeypatch.setattr(images_bundle, "run", fake_run)
    monkeypatch.setattr(images_bundle, "load", lambda path: calls.append(path.read_bytes()))
    return calls


@pytest.fixture
def bundle(settings: Settings, loaded: list[bytes], tmp_path: Path) -> Path:
    """A bundle with one image."""
    found = Found("imooc.local/node:v1-key", "sha256:1", 5, "build", {})
    path = tmp_path / "bundle.tar"
    save(settings, State(images={"node": found}), TOOLS, path)
    return path


def test_what_was_saved_is_loaded(settings: Settings, bundle: Path, loaded: list[bytes]) -> None:
    for name in (*TOOLS, STAMP):
        (settings.bin / name).unlink()
    unpack(settings, bundle)
    assert loaded == [b"images: imooc.local/node:v1-key"]
    assert (settings.bin / "kind").read_text() == "program kind"
    assert json.loads((settings.bin / STAMP).read_text()) == {"kind": {"key": "k"}}


def test_times_of_tools_survive_because_stamps_name_them(settings: Settings, bundle: Path) -> None:
    before = int((settings.bin / "kind").stat().st_mtime)
    (settings.bin / "kind").unlink()
    unpack(settings, bundle)
    assert int((settings.bin / "kind").stat().st_mtime) == before


def test_the_manifest_comes_first_and_names_the_images(bundle: Path) -> None:
    with tarfile.open(bundle) as archive:
        assert archive.getnames()[0] == "bundle.json"
    assert read_manifest(bundle)["images"]["node"]["reference"] == "imooc.local/node:v1-key"


def test_nothing_is_left_beside_a_bundle(bundle: Path) -> None:
    assert not list(bundle.parent.glob(".bundle*"))


def test_a_damaged_bundle_loads_nothing(
    settings: Settings, bundle: Path, loaded: list[bytes]
) -> None:
    content = bytearray(bundle.read_bytes())
    at = content.rindex(b"program kubectl")
    content[at] ^= 1
    bundle.write_bytes(content)
    with pytest.raises(ImageError, match=r"bin/kubectl .* is damaged"):
        unpack(settings, bundle)
    assert loaded == []


def test_a_file_that_is_no_bundle_is_refused(settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other.tar"
    with tarfile.open(other, "w") as archive:
        archive.addfile(tarfile.TarInfo("x"), io.BytesIO())
    with pytest.raises(ImageError, match="images_bundle_path"):
        unpack(settings, other)
    assert read_manifest(tmp_path / "missing.tar") == {}
