"""Work in progress leaves nothing behind, not even where a run was killed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.scratch import scratch


def fail_inside(cache: Path) -> None:
    with scratch(cache) as folder:
        (folder / "file").write_text("x")
        raise RuntimeError


def test_the_folder_is_gone_afterwards_whatever_happened(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fail_inside(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_killed_run_left_goes_and_what_may_be_in_use_stays(tmp_path: Path) -> None:
    old, new = tmp_path / ".scratch-old", tmp_path / ".scratch-new"
    for folder in (old, new):
        (folder / "context").mkdir(parents=True)
    os.utime(old, (1, 1))
    with scratch(tmp_path):
        pass
    assert [folder.name for folder in tmp_path.iterdir()] == [".scratch-new"]
