"""Questions asked at once: none waits for another, none spoils another."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from ansible.module_utils.together import together


def test_each_question_has_its_answer() -> None:
    def fail() -> dict[str, Any]:
        raise ConnectionError("refused")

    def fall_silent() -> dict[str, Any]:
        raise KeyError

    answers = together({"one": lambda: {"x": 1}, "two": fail, "three": fall_silent}, 10)
    assert answers == {
        "one": {"x": 1},
        "two": {"missing": "refused"},
        "three": {"missing": "KeyError"},
    }


def test_what_hangs_is_missing_and_the_others_are_told() -> None:
    release = threading.Event()

    def hang() -> dict[str, Any]:
        release.wait()
        return {}

    answers = together({"one": hang, "two": lambda: {"x": 1}, "three": hang}, 0.05)
    release.set()
    assert answers["two"] == {"x": 1}
    assert answers["one"] == answers["three"] == {"missing": "no answer within 0.05 s"}
    assert answers["one"] is not answers["three"]


def test_they_are_asked_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    meet = {name: lambda: {"turn": both.wait()} for name in ("one", "two")}
    assert {answer["turn"] for answer in together(meet, 10).values()} == {0, 1}


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_no_question_has_no_answer(seconds: float) -> None:
    assert together({}, seconds) == {}
