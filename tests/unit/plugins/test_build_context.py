"""The tag of an image is its content: what changes the image changes it, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.build_context import files_of, fingerprint, stage

MEMBERS = ["Dockerfile", "src"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root/src/pkg").mkdir(parents=True)
    (tmp_path / "root/Dockerfile").write_text("FROM scratch\n")
    (tmp_path / "root/src/pkg/a.py").write_text("a = 1\n")
    (tmp_path / "root/src/pkg/b.py").write_text("b = 1\n")
    return tmp_path / "root"


def name(root: Path, base: str = "sha256:one") -> str:
    found: str = fingerprint(root, MEMBERS, {"base": base})
    return found


def test_times_byte_code_and_neighbours_do_not_count(root: Path) -> None:
    before = name(root)
    os.utime(root / "src/pkg/a.py", (1, 1))
    (root / "src/pkg/__pycache__").mkdir()
    (root / "src/pkg/__pycache__/a.pyc").write_bytes(b"1")
    (root / "README.md").write_text("not a member\n")
    assert name(root) == before


def test_content_names_and_base_count(root: Path) -> None:
    names = {name(root), name(root, base="sha256:two")}
    (root / "src/pkg/a.py").write_text("a = 2\n")
    names.add(name(root))
    (root / "src/pkg/b.py").rename(root / "src/pkg/c.py")
    names.add(name(root))
    assert len(names) == 4


def test_content_that_moves_between_files_counts(root: Path) -> None:
    before = name(root)
    (root / "src/pkg/a.py").write_text("b = 1\n")
    (root / "src/pkg/b.py").write_text("a = 1\n")
    assert name(root) != before


def test_the_order_is_fixed(root: Path) -> None:
    found = [file.relative_to(root).as_posix() for file in files_of(root, reversed(MEMBERS))]
    assert found == ["Dockerfile", "src/pkg/a.py", "src/pkg/b.py"]


def test_a_missing_member_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        files_of(root, ["nowhere"])


def test_the_stage_holds_the_members_and_the_wheels(root: Path, tmp_path: Path) -> None:
    packages = tmp_path / "site-packages"
    (packages / "dependency").mkdir(parents=True)
    (packages / "dependency/x.py").write_text("x = 1\n")
    target = tmp_path / "stage"
    stage(root, MEMBERS, packages, target)
    found = sorted(p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file())
    assert found == [
        "Dockerfile",
        "build/site-packages/dependency/x.py",
        "src/pkg/a.py",
        "src/pkg/b.py",
    ]
