"""Open pages of environments in every state in a real browser, from the file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import ansible.module_utils
import pytest

PROJECT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(PROJECT))
ansible.module_utils.__path__.append(str(PROJECT / "plugins/module_utils"))

from ansible.module_utils.status_page import render  # noqa: E402 - found by the path above

from tests.unit.plugins import status_facts  # noqa: E402 - found by the path above
from tools.browser import Browser, Page, launched  # noqa: E402 - found by the path above

Opener = Callable[..., AbstractContextManager[Page]]

STYLE = (PROJECT / "roles/status/files/page.css").read_text()
FINDING = {
    "part": "operator",
    "problem": "the operator imoocpod-operator/imoocpod-operator is scaled to 0",
    "cure": "make up ENV=lab ARGS='--tags operator'",
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running browser; one is installed where there is none."""
    with launched() as browser:
        yield browser


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Opener:
    """Open the page of an environment: `up`, or one of `status_facts.SPOILT`."""

    def open_page(name: str, **how: Any) -> AbstractContextManager[Page]:
        facts = status_facts.up() if name == "up" else status_facts.spoilt(name)
        facts["drift"] = {"time": status_facts.NOW, "differences": [{"object": "Deployment/x"}]}
        verdict, findings = ("up", []) if name == "up" else ("degraded", [FINDING])
        told = status_facts.told(facts, verdict, findings)
        path = tmp_path / "report.html"
        path.write_text(render(told, ("imooc-lab", "imooc-lab-registry"), STYLE), encoding="utf-8")
        return browser.open(path, **how)

    return open_page
