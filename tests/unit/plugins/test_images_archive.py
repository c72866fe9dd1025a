"""Images written as one archive: same input, same bytes; a shared layer once."""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from pathlib import Path

import pytest
from ansible.module_utils.images_archive import (
    File,
    Image,
    Layer,
    layer_of_files,
    layer_of_tree,
    write_archive,
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A file that stands for a compiled program."""
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF" + bytes(5000))
    return path


def members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as archive:
        return {info.name: info for info in archive}


def test_a_layer_of_files_has_their_folders_owned_by_root(tmp_path: Path, program: Path) -> None:
    files = [
        File("usr/bin/tool", source=program),
        File("usr/bin/alias", link="tool"),
        File("etc/setting", content=b"on\n", mode=0o644),
    ]
    found = members(layer_of_files(tmp_path / "layer.tar", files).path)
    assert set(found) == {"usr", "usr/bin", "usr/bin/tool", "usr/bin/alias", "etc", "etc/setting"}
    assert found["usr/bin"].isdir()
    assert found["usr/bin/alias"].linkname == "tool"
    assert found["etc/setting"].mode == 0o644
    assert {(info.uid, info.gid, info.mtime) for info in found.values()} == {(0, 0, 0)}


def test_the_digest_is_that_of_the_written_bytes(tmp_path: Path, program: Path) -> None:
    layer = layer_of_files(tmp_path / "layer.tar", [File("tool", source=program)])
    assert layer.digest == hashlib.sha256(layer.path.read_bytes()).hexdigest()


def test_order_and_time_of_files_do_not_change_a_layer(tmp_path: Path, program: Path) -> None:
    files = [File("b", source=program), File("a", content=b"a")]
    first = layer_of_files(tmp_path / "1.tar", files)
    os.utime(program, (1, 1))
    second = layer_of_files(tmp_path / "2.tar", reversed(files))
    assert first.digest == second.digest


def test_a_tree_keeps_modes_links_and_empty_folders(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "tmp").mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    (root / "one").write_text("same file")
    (root / "two").hardlink_to(root / "one")
    (root / "three").symlink_to("one")
    found = members(layer_of_tree(tmp_path / "tree.tar", root).path)
    assert found["tmp"].mode == 0o1777
    assert found["two"].islnk()
    assert found["three"].issym()


def test_images_that_share_a_layer_store_it_once(tmp_path: Path, program: Path) -> None:
    shared = layer_of_files(tmp_path / "shared.tar", [File("tool", source=program)])
    own = layer_of_files(tmp_path / "own.tar", [File("own", content=b"x")])
    archive = tmp_path / "images.tar"
    images = [Image(["a:1"], [shared]), Image(["b:1"], [shared, own])]
    write_archive(archive, images)
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        stream = opened.extractfile("manifest.json")
        assert stream is not None
        manifest = json.load(stream)
    assert names.count(f"{shared.digest}/layer.tar") == 1
    assert [entry["RepoTags"] for entry in manifest] == [["a:1"], ["b:1"]]
    assert manifest[1]["Layers"] == [f"{shared.digest}/layer.tar", f"{own.digest}/layer.tar"]
    assert {entry["Config"] for entry in manifest} <= set(names)


def test_a_configuration_names_layers_and_start() -> None:
    layer = Layer(Path("unused"), "0" * 64)
    image = Image(
        ["a:1"],
        [layer],
        entrypoint=["/bin/registry"],
        labels={"k": "v"},
        volumes=["/data"],
        ports=["5000/tcp"],
    )
    config = json.loads(image.config())
    assert config["rootfs"]["diff_ids"] == ["sha256:" + "0" * 64]
    assert config["config"] == {
        "Entrypoint": ["/bin/registry"],
        "Labels": {"k": "v"},
        "Volumes": {"/data": {}},
        "ExposedPorts": {"5000/tcp": {}},
    }


def test_nothing_half_written_has_the_final_name(tmp_path: Path) -> None:
    gone = File("tool", source=tmp_path / "not-there")
    with pytest.raises(FileNotFoundError):
        layer_of_files(tmp_path / "layer.tar", [gone])
    assert not (tmp_path / "layer.tar").exists()
