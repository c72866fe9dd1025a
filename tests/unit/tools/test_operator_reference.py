"""The operator's reference page says what the code says, and a stale one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import operator_reference

PAGE = """\
# Reference
<!-- flags:begin -->
old
<!-- flags:end -->
between
<!-- metrics:begin -->
<!-- metrics:end -->
end
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page whose tables are stale."""
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_the_page_of_this_project_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    status = operator_reference.main(["--check"])
    assert (status, capsys.readouterr().err) == (0, "")


def test_a_stale_page_is_noticed_written_and_then_right(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = ["--check", "--page", str(page)]
    assert operator_reference.main(check) == 1
    assert capsys.readouterr().err == "page.md: a table is stale; run: make docs\n"
    assert page.read_text() == PAGE
    assert operator_reference.main(["--page", str(page)]) == 0
    assert operator_reference.main(check) == 0
    lines = page.read_text().splitlines()
    assert "old" not in lines
    assert [line for line in lines if line in PAGE.splitlines()] == [
        line for line in PAGE.splitlines() if line != "old"
    ]


def test_a_row_has_what_the_code_has() -> None:
    flags = operator_reference.flag_table()
    assert "| `--dry-run` | log what each pass would do, and do nothing |" in flags
    assert "| `--log-format json\\|console` | JSON lines" in flags
    metrics = operator_reference.metric_table()
    assert "| `workqueue_depth` | gauge | name | Keys waiting for a worker. |" in metrics
    assert "| `leader_election_master_status` |" in metrics


@pytest.mark.parametrize("marker", ["<!-- flags:begin -->", "<!-- metrics:end -->"])
def test_a_page_without_a_marker_is_an_error(page: Path, marker: str) -> None:
    page.write_text(PAGE.replace(marker, ""))
    with pytest.raises(ValueError, match="the page needs one"):
        operator_reference.main(["--page", str(page)])
