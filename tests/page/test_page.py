"""The page in a browser: opened from the file, light and dark, by keyboard, on a phone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.unit.plugins.status_facts import SPOILT
from tools.browser import Page

if TYPE_CHECKING:
    from tests.page.conftest import Opener

LOOK = Path(__file__).with_name("look.js").read_text()
ALL = ["up", *SPOILT]
PHONE = {"width": 360, "height": 740}
READABLE = 4.5  # https://www.w3.org/TR/WCAG22/#contrast-minimum


@pytest.fixture(params=[False, True], ids=["light", "dark"])
def dark(request: pytest.FixtureRequest) -> bool:
    """Which of the two colour schemes the person prefers."""
    return bool(request.param)


@pytest.mark.parametrize("name", ALL)
def test_it_opens_without_a_complaint_and_asks_for_nothing(opened: Opener, name: str) -> None:
    with opened(name) as page:
        page.evaluate(
            "document.querySelectorAll('details').forEach((item) => { item.open = true })"
        )
        methods = [event["method"] for event in page.events]
        complaints = {"Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"}
        assert [event for event in page.events if event["method"] in complaints] == []
        assert methods.count("Network.requestWillBeSent") == 1, "its own file, and no more"


def test_it_is_light_or_dark_as_the_person_likes(opened: Opener, dark: bool) -> None:
    with opened("up", dark=dark) as page:
        color = page.evaluate("getComputedStyle(document.body).backgroundColor")
        brightness = sum(int(part) for part in color[4:-1].split(",")) / 3
        assert brightness < 40 if dark else brightness > 230


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ["up", "no engine", "crashing replica", "missing pod", "many"])
def test_every_word_can_be_read(opened: Opener, dark: bool, name: str, width: int) -> None:
    with opened(name, dark=dark, width=width) as page:
        page.evaluate(
            "document.querySelectorAll('details').forEach((item) => { item.open = true })"
        )
        seen = page.evaluate(f"{LOOK}.contrasts()")
        assert len(seen) > 40
        assert [item for item in seen if item["contrast"] < READABLE] == []


@pytest.mark.parametrize("name", ALL)
def test_it_fits_a_phone(opened: Opener, name: str) -> None:
    with opened(name, **PHONE) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.evaluate(f"{LOOK}.cutOff()") == []
        assert [item for item in page.evaluate(f"{LOOK}.sizes()") if item["pixels"] < 11] == []
        shown = page.evaluate(
            "[...document.querySelectorAll('#picture .body > svg')]"
            ".filter((svg) => svg.getClientRects().length).map((svg) => svg.classList[0])"
        )
        assert shown == ["narrow"]


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ALL)
def test_words_of_the_picture_do_not_collide(opened: Opener, name: str, width: int) -> None:
    with opened(name, width=width) as page:
        assert page.evaluate(f"{LOOK}.collisions()") == []


@pytest.mark.parametrize("how", [{}, PHONE], ids=["desk", "phone"])
def test_everything_can_be_reached_by_keyboard(opened: Opener, how: dict[str, int]) -> None:
    with opened("crashing replica", **how) as page:
        page.evaluate(f"window.look = {LOOK}")
        wanted = page.evaluate("look.focusable()")
        reached = []
        for _ in wanted:
            page.press("Tab")
            focus = page.evaluate("look.focused()")
            assert focus["seen"], focus
            assert focus["ringed"], focus
            reached.append(focus["number"])
        assert reached == wanted


def test_the_first_key_leads_past_the_navigation(opened: Opener) -> None:
    with opened("up") as page:
        page.press("Tab")
        page.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"


def test_what_is_folded_opens_by_key(opened: Opener) -> None:
    with opened("up") as page:
        page.evaluate("document.querySelector('summary').focus()")
        page.press("Enter")
        assert page.evaluate("document.querySelector('details').open") is True


@pytest.mark.parametrize("name", ALL)
def test_a_screen_reader_has_a_name_for_everything(opened: Opener, name: str) -> None:
    with opened(name) as page:
        nodes = page.call("Accessibility.getFullAXTree")["nodes"]
        told = {
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node["ignored"]
        }
        spoken = {"link", "table", "region", "navigation", "heading", "columnheader", "figure"}
        assert {role for role, name in told if role in spoken and not name} == set()
        assert {"banner", "main", "contentinfo"} <= {role for role, _ in told}


def test_the_names_are_those_that_a_person_would_use(opened: Opener) -> None:
    with opened("up") as page:
        assert isinstance(page, Page)
        assert page.evaluate("document.title") == "lab is up"
        assert page.evaluate("document.documentElement.lang") == "en"
