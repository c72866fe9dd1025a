"""What is here is what the engine and the tools folder hold, not what a record says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import images_state
from ansible.module_utils.changes import Change
from ansible.module_utils.engine_client import EngineError, EngineUnreachable
from ansible.module_utils.images_recipe import NAMES, recipes
from ansible.module_utils.images_state import Settings, State, look, observe

FILES = Path(__file__).resolve().parents[3] / "roles" / "images" / "files"
PUBLISHED = {
    "node": "kindest/node:v1",
    "registry": "library/registry:3",
    "python": "library/python:3.13-slim",
    "busybox": "library/busybox:1.37",
}
TOOLS = ("kind", "kubectl")


class FakeEngine:
    """An engine with a fixed set of images that reaches no registry."""

    images: dict[str, dict[str, Any]]
    served: dict[str, str]
    down: bool

    def __init__(self, timeout: float = 0) -> None:
        pass

    def image(self, reference: str) -> dict[str, Any] | None:
        if self.down:
            raise EngineUnreachable("no engine")
        return self.images.get(reference)

    def call(self, method: str, path: str, *, timeout: float | None = None) -> bytes:
        reference = path.removeprefix("/distribution/").removesuffix("/json")
        if reference not in self.served:
            raise EngineError(500, "no such host")
        return json.dumps({"Descriptor": {"digest": self.served[reference]}}).encode()


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[FakeEngine]:
    """An empty engine, in the place of the real one."""
    FakeEngine.images, FakeEngine.served, FakeEngine.down = {}, {}, False
    monkeypatch.setattr(images_state, "Engine", FakeEngine)
    return FakeEngine


def settings(tmp_path: Path, **changes: str) -> Settings:
    parameters = {
        "files": str(FILES),
        "source": "auto",
        "mirror": "",
        "published": PUBLISHED,
        "cache_dir": str(tmp_path / "cache"),
        "bin_dir": str(tmp_path / "bin"),
        "state_dir": str(tmp_path / "state"),
        "debian_mirror": "",
    }
    return Settings.of({**parameters, **changes})


def image(**more: Any) -> dict[str, Any]:
    return {"Id": "sha256:1", "Size": 7, "Config": {"Labels": {"a": "b"}}, **more}


def have_everything(engine: type[FakeEngine], wish: Settings) -> State:
    """Put every image and tool there, and the record of them."""
    engine.images = {recipe.reference: image() for recipe in recipes(FILES).values()}
    state = look(wish, TOOLS)
    wish.bin.mkdir(exist_ok=True)
    stamps = {}
    for name in TOOLS:
        (wish.bin / name).write_text("program")
        key = images_state.tool_key(wish, name, state.images["node"])
        stamps[name] = images_state.stamp_of(wish.bin / name, key)
    (wish.bin / images_state.STAMP).write_text(json.dumps(stamps))
    wish.state.mkdir(exist_ok=True)
    record = images_state.record(wish, state, TOOLS)
    (wish.state / images_state.RECORD).write_text(json.dumps(record))
    return observe(wish, TOOLS)


def test_on_an_empty_machine_everything_is_missing(
    engine: type[FakeEngine], tmp_path: Path
) -> None:
    state = observe(settings(tmp_path), TOOLS)
    assert state.missing == list(NAMES)
    assert state.missing_tools == list(TOOLS)
    assert state.decision is not None
    assert state.decision.source == "build"
    assert len(state.plan()) == len(NAMES) + len(TOOLS)


def test_a_made_image_does_not_stand_in_for_one_that_is_to_be_pulled(
    engine: type[FakeEngine], tmp_path: Path
) -> None:
    wish = settings(tmp_path, source="pull", mirror="mirror:5000")
    engine.images = {recipe.reference: image() for recipe in recipes(FILES).values()}
    state = look(wish, TOOLS)
    assert state.missing == list(NAMES)
    assert state.refs(wish)["node"] == "mirror:5000/kindest/node:v1"
    assert not engine.images.keys() & set(state.refs(wish).values())


def test_without_an_engine_it_is_planned_and_nothing_fails(
    engine: type[FakeEngine], tmp_path: Path
) -> None:
    engine.down = True
    state = observe(settings(tmp_path), TOOLS)
    assert state.engine == "no engine"
    assert state.decision is None
    assert state.plan()[0] == Change("image node", "create", "to be pulled, or made from packages")


def test_with_everything_here_nothing_is_left_to_do(
    engine: type[FakeEngine], tmp_path: Path
) -> None:
    state = have_everything(engine, settings(tmp_path))
    assert state.complete
    assert state.plan() == []
    assert state.refs(settings(tmp_path)) == {
        name: recipe.reference for name, recipe in recipes(FILES).items()
    }


@pytest.mark.parametrize("lost", ["file", "stamp", "touched"])
def test_a_tool_that_is_not_the_one_put_there_is_missing(
    engine: type[FakeEngine], tmp_path: Path, lost: str
) -> None:
    wish = settings(tmp_path)
    have_everything(engine, wish)
    if lost == "file":
        (wish.bin / "kind").unlink()
    elif lost == "stamp":
        (wish.bin / images_state.STAMP).unlink()
    else:
        (wish.bin / "kind").write_text("another program")
    assert "kind" in look(wish, TOOLS).missing_tools


def test_a_lost_record_is_written_again(engine: type[FakeEngine], tmp_path: Path) -> None:
    wish = settings(tmp_path)
    have_everything(engine, wish)
    (wish.state / images_state.RECORD).unlink()
    state = observe(wish, TOOLS)
    assert not state.complete
    assert [change.object for change in state.plan()] == ["file images.json"]


def test_a_pulled_image_is_called_by_the_digest_it_has(
    engine: type[FakeEngine], tmp_path: Path
) -> None:
    wish = settings(tmp_path, mirror="localhost:5999")
    digest = "localhost:5999/library/registry@sha256:" + "1" * 64
    engine.images = {wish.published["registry"].local_tag: image(RepoDigests=["x@y", digest])}
    state = look(wish, TOOLS)
    assert state.images["registry"].reference == digest
    assert state.images["registry"].origin == "pull"


def test_a_pulled_image_of_the_home_registry_is_called_by_its_short_name(
    engine: type[FakeEngine], tmp_path: Path
) -> None:
    wish = settings(tmp_path)
    digest = "registry@sha256:" + "1" * 64
    engine.images = {wish.published["registry"].local_tag: image(RepoDigests=[digest])}
    assert look(wish, TOOLS).images["registry"].reference == digest


@pytest.mark.parametrize(("source", "here"), [("build", True), ("pull", False), ("auto", True)])
def test_a_made_image_serves_whoever_does_not_insist_on_pulling(
    engine: type[FakeEngine], tmp_path: Path, source: str, here: bool
) -> None:
    engine.images = {recipes(FILES)["busybox"].reference: image()}
    state = look(settings(tmp_path, source=source), TOOLS)
    assert ("busybox" in state.images) is here


def test_an_unknown_name_of_a_published_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"images_published must name exactly .* nodes"):
        settings(tmp_path, published={**PUBLISHED, "nodes": "x"})  # type: ignore[arg-type]  # what a user may write
