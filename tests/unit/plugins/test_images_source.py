"""Pulled or made: decided by what the registry answers, and always with a reason."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.images_source import (
    BUDGET,
    Decision,
    Published,
    Unanswered,
    decide,
    registry_digest,
)

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "mirror", "reference"),
    [
        pytest.param("library/registry:3", "", "docker.io/library/registry:3", id="home"),
        pytest.param("library/registry", "", "docker.io/library/registry:latest", id="no tag"),
        pytest.param(
            "kindest/node:v1@" + DIGEST, "", "docker.io/kindest/node@" + DIGEST, id="pinned"
        ),
        pytest.param(
            "kindest/node:v1", "localhost:5999", "localhost:5999/kindest/node:v1", id="mirror"
        ),
        pytest.param(
            "kindest/node:v1", "localhost:5999/", "localhost:5999/kindest/node:v1", id="slash"
        ),
    ],
)
def test_a_published_image_is_asked_for(text: str, mirror: str, reference: str) -> None:
    assert Published.parse(text, mirror).reference == reference


def test_another_tag_digest_or_mirror_gets_another_local_name() -> None:
    names = {
        Published.parse(text, mirror).local_tag
        for text in ("a/b:1", "a/b:2", "a/b:1@" + DIGEST)
        for mirror in ("", "localhost:5999")
    }
    assert len(names) == 6
    assert all(name.startswith("imooc.local/pulled:") for name in names)


def asked(answers: dict[str, str], wanted: str) -> Decision:
    published = {"node": Published.parse("kindest/node:v1", "")}

    def ask(reference: str) -> str:
        if reference not in answers:
            raise Unanswered("no such host")
        return answers[reference]

    return decide(wanted, ["node"], published, ask)


def test_auto_pulls_what_the_registry_serves() -> None:
    decision = asked({"docker.io/kindest/node:v1": DIGEST}, "auto")
    assert decision.source == "pull"
    assert "docker.io serves" in decision.reason


def test_auto_makes_what_cannot_be_pulled_and_says_why() -> None:
    decision = asked({}, "auto")
    assert decision.source == "build"
    assert "docker.io/kindest/node:v1: no such host" in decision.reason


@pytest.mark.parametrize("wanted", ["pull", "build"])
def test_a_wish_is_not_questioned(wanted: str) -> None:
    published = {"node": Published.parse("kindest/node:v1", "")}

    def ask(reference: str) -> str:
        pytest.fail(f"asked for {reference}")

    assert decide(wanted, ["node"], published, ask).source == wanted


class Engine:
    """Answers one request and keeps what was asked."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.asked: tuple[str, float | None] = ("", None)

    def call(self, method: str, path: str, *, timeout: float | None = None) -> bytes:
        self.asked = (f"{method} {path}", timeout)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_the_engine_is_asked_within_the_budget() -> None:
    engine = Engine(json.dumps({"Descriptor": {"digest": DIGEST}}).encode())
    assert registry_digest(engine, (TimeoutError,), "docker.io/kindest/node:v1") == DIGEST
    assert engine.asked == ("GET /distribution/docker.io/kindest/node:v1/json", BUDGET)
    assert BUDGET < 5


def test_a_registry_that_is_silent_is_an_answer_too() -> None:
    with pytest.raises(Unanswered, match="TimeoutError"):
        registry_digest(Engine(TimeoutError()), (TimeoutError,), "docker.io/a:1")


def test_a_registry_that_is_too_slow_is_said_to_be() -> None:
    class Unreachable(Exception):
        """What the engine's client makes of a time that ran out."""

    error = Unreachable("no container engine answers")
    error.__cause__ = TimeoutError()
    with pytest.raises(Unanswered, match="no answer within 4 s"):
        registry_digest(Engine(error), (Unreachable,), "docker.io/a:1")


def test_an_answer_without_a_digest_is_none() -> None:
    with pytest.raises(Unanswered, match="no digest"):
        registry_digest(Engine(b"{}"), (TimeoutError,), "docker.io/a:1")
