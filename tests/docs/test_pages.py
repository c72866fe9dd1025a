"""What pages promise can be looked up: links lead somewhere, the two READMEs say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pages import PROJECT, anchors, blocks, levels, links, tracked

PAGES = tracked("*.md")
TESTS = {
    name
    for path in tracked("*test_*.py")
    for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
}

# Where packages come from is the machine's own setting: a host named here would not answer on a
# restricted one.
_PACKAGE_HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|(proxy|sum)\.golang\.org|(deb|ftp|security)\.debian\.org"
    r"|(archive|ports)\.ubuntu\.com|registry\.npmjs\.org|galaxy\.ansible\.com"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = []
    for line, target in links(page):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        if not to.exists():
            broken.append(f"line {line}: {target}: there is no such file")
        elif anchor and anchor not in anchors(to):
            broken.append(f"line {line}: {target}: there is no such heading")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = set(re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8")))
    assert named - TESTS == set()


def test_the_chinese_readme_has_the_same_blocks() -> None:
    english, chinese = (
        [(block.language, block.text) for block in blocks(PROJECT / name)]
        for name in ("README.md", "README.zh.md")
    )
    assert chinese == english


def test_the_chinese_readme_has_the_same_sections_and_rows() -> None:
    english, chinese = (
        (levels(page), sum(line.startswith("| ") for line in page.read_text("utf-8").splitlines()))
        for page in (PROJECT / "README.md", PROJECT / "README.zh.md")
    )
    assert chinese == english


def test_no_file_names_a_host_of_packages() -> None:
    named = [
        f"{path.relative_to(PROJECT)}: {match[0]}"
        for path in tracked()
        if (match := _PACKAGE_HOSTS.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert named == []
