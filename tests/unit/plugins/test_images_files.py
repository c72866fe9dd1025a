"""What root writes for a user belongs to the user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils import images_files
from ansible.module_utils.images_files import have_folder, put_json, put_program, read_json


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Act as root; the names of what was given away."""
    names: list[str] = []
    monkeypatch.setattr(images_files.os, "geteuid", lambda: 0)
    monkeypatch.setattr(images_files.os, "chown", lambda path, uid, gid: names.append(path.name))
    return names


def test_new_folders_are_given_to_the_owner_of_the_first_that_was_there(
    tmp_path: Path, given: list[str]
) -> None:
    have_folder(tmp_path / "state" / "dev")
    have_folder(tmp_path / "state" / "dev")
    assert given == ["state", "dev"]


def test_a_file_is_given_before_it_is_in_place(tmp_path: Path, given: list[str]) -> None:
    put_json(tmp_path / "images.json", {"b": 1, "a": 2})
    assert given == ["images.json.tmp"]
    assert read_json(tmp_path / "images.json") == {"a": 2, "b": 1}


def test_a_program_can_be_run_and_replaces_the_one_before(tmp_path: Path, given: list[str]) -> None:
    source = tmp_path / "new"
    source.write_text("#!/bin/sh\n")
    target = tmp_path / "bin" / "kind"
    for _ in range(2):
        put_program(source, target)
    assert os.access(target, os.X_OK)
    assert given == ["bin", ".kind.tmp", ".kind.tmp"]


def test_a_user_gives_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images_files.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(images_files.os, "chown", lambda *_: pytest.fail("chown"))
    put_json(tmp_path / "x" / "y.json", [])


def test_a_file_that_is_no_json_reads_as_none(tmp_path: Path) -> None:
    (tmp_path / "half").write_text('{"a":')
    assert read_json(tmp_path / "half") is None
    assert read_json(tmp_path / "none") is None
