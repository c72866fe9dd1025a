"""Reading the newest report, whatever state the file is in."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.module_utils import progress
from ansible.module_utils.progress_tail import Report, newest, size

GOOD = b'{"time": 1.5, "message": "compiling a", "done": 3, "total": 9}\n'


@pytest.mark.parametrize(
    ("content", "report"),
    [
        (b"", None),
        (GOOD, Report("compiling a", 3, 9)),
        (GOOD + b'{"message": "half', Report("compiling a", 3, 9)),
        (GOOD + b"no json\n[1]\n{}\n", Report("compiling a", 3, 9)),
        (b'{"message": "two\\n lines\\r"}\n', Report("two lines")),
        (b'{"message": "a", "done": "x", "total": null}\n', Report("a")),
        (b'{"message": "old"}\n' * 2000 + b'{"message": "new"}\n', Report("new")),
    ],
    ids=["empty", "whole", "half a line", "rubbish", "line breaks", "odd counts", "long file"],
)
def test_newest_readable_line(tmp_path: Path, content: bytes, report: Report | None) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_bytes(content)
    assert newest(path) == report


def test_reports_of_an_earlier_task_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    path.write_bytes(GOOD)
    assert newest(path, since=size(path)) is None


def test_missing_file(tmp_path: Path) -> None:
    assert newest(tmp_path / "none") is None
    assert size(tmp_path / "none") == 0


def test_what_modules_write_is_what_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "progress.jsonl"
    monkeypatch.setenv("IMOOC_PROGRESS_FILE", str(path))
    progress.report("pulling", done=1, total=2)
    assert newest(path) == Report("pulling", 1, 2)
