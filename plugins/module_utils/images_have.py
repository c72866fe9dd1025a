"""Brings images, tools and their record to what is wanted.

Invariant: the record is written last, so what it names is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils.changes import Change
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.images_build import Build, forget_old, workspace
from ansible.module_utils.images_engine import Builder, copy_out
from ansible.module_utils.images_files import put_json, put_program, read_json
from ansible.module_utils.images_process import ImageError, cure
from ansible.module_utils.images_source import Published, Unanswered, registry_digest
from ansible.module_utils.images_state import (
    RECORD,
    STAMP,
    Settings,
    State,
    find_image,
    made_here,
    observe,
    record,
    stamp_of,
    tool_key,
    tool_present,
)
from ansible.module_utils.images_steps import Step, run_steps

Say = Callable[[str], None]


def have(settings: Settings, tools: Sequence[str]) -> tuple[State, dict[str, float]]:
    """Have every image and tool; return what is here now and the seconds of each step.

    Raises:
        ImageError: with what failed, why, and what the user can do.
    """
    with workspace(settings.cache) as work:
        # Anew, because another run may have done the work while this one waited.
        state = observe(settings, tools)
        if state.engine:
            raise ImageError(f"{state.engine}. Run: ansible-playbook site.yml --tags engine")
        Builder(settings.cache).clean()  # what a killed run left, like the folders in the cache
        steps = _steps(settings, state, work)
        try:
            seconds = run_steps(steps)
        except OSError as error:
            advice = cure(str(error))
            raise ImageError(f"{error}; {advice}" if advice else str(error)) from error
        for name in state.missing:
            found = find_image(
                Engine(), state.recipes[name], settings.published[name], settings.source
            )
            if found is None:
                raise ImageError(f"the engine does not have the image {name} that was just loaded")
            state.images[name] = found
        _have_kubectl(settings, state, work)
        _write_record(settings, state, tools)
        state.missing = []
        state.missing_tools = []
        forget_old(settings)
    return state, seconds


def _steps(settings: Settings, state: State, work: Path) -> list[Step]:
    build = Build(settings, state, work)
    compiled = [name for name in state.missing_tools if name != "kubectl"]
    steps: list[Step] = build.compile_step(tools=bool(compiled))
    if compiled:
        programs = {name: build.program(name) for name in compiled}
        steps.append(Step("tools", lambda say: _have_tools(settings, programs), needs=["go"]))
    if state.decision is not None and state.decision.source == "pull":
        steps += [
            Step(name, partial(_pull, settings, settings.published[name])) for name in state.missing
        ]
    elif state.missing:
        steps += build.steps()
    return steps


def _pull(settings: Settings, published: Published, say: Say) -> None:
    """Pull an image by its digest, which the registry is asked for where none is pinned."""
    engine = Engine(timeout=300)
    refused = (EngineError, EngineUnreachable)
    try:
        say("asking for the digest")
        digest = published.digest or registry_digest(engine, refused, published.reference)
        by_digest = f"{published.repository}@{digest}"
        query = {"fromImage": published.repository, "tag": digest}
        for message in engine.stream("/images/create", query=query):
            status = message.get("status", "")
            amount = message.get("progressDetail") or {}
            if "current" in amount and "total" in amount:
                status += f" {amount['current'] // 2**20} of {amount['total'] // 2**20} MB"
            say(f"{published.repository}: {status}")
        repository, _, tag = published.local_tag.partition(":")
        engine.call("POST", f"/images/{by_digest}/tag", query={"repo": repository, "tag": tag})
    except (*refused, Unanswered) as error:
        where = (
            f"images_mirror is {settings.mirror}: does it serve this image under its original path?"
            if settings.mirror
            else "set images_mirror=<host:port> to a registry that serves it"
        )
        raise ImageError(
            f"cannot pull {published.reference}: {error}. images_source is {settings.source}; "
            f"{where} Or make the images from packages: images_source=build"
        ) from error


def _have_tools(settings: Settings, programs: Mapping[str, Path]) -> None:
    for name, program in programs.items():
        put_program(program, settings.bin / name)
        _stamp(settings, name, tool_key(settings, name, None))


def _have_kubectl(settings: Settings, state: State, work: Path) -> None:
    node = state.images["node"]
    if tool_present(settings, "kubectl", node):
        return
    copied = work / "kubectl"
    copy_out(node.reference, "/usr/bin/kubectl", copied)
    put_program(copied, settings.bin / "kubectl")
    _stamp(settings, "kubectl", tool_key(settings, "kubectl", node))


def _stamp(settings: Settings, name: str, made_by: str) -> None:
    path = settings.bin / STAMP
    stamps: dict[str, Any] = read_json(path) or {}
    stamps[name] = stamp_of(settings.bin / name, made_by)
    put_json(path, stamps)


def _write_record(settings: Settings, state: State, tools: Sequence[str]) -> None:
    wanted = record(settings, state, tools)
    if read_json(settings.state / RECORD) != wanted:
        put_json(settings.state / RECORD, wanted)
    state.stale_record = False


def remove(settings: Settings, tools: Sequence[str], *, check: bool) -> list[Change]:
    """Remove the images that were made or pulled here, and the tools; return what was done.

    An image that a container uses stays: it may be another environment's. The
    cache stays too: it is the user's, like the compiler's own.
    """
    engine = Engine()
    removed = []
    for name in made_here(engine):
        if check or _remove_image(engine, name):
            removed.append(Change(f"image {name}", "delete"))
    for path in [*(settings.bin / name for name in (*tools, STAMP)), settings.state / RECORD]:
        if path.is_file():
            removed.append(Change(f"file {path}", "delete"))
            if not check:
                path.unlink()
    return removed


def _remove_image(engine: Engine, name: str) -> bool:
    """Remove a name and, when it was the image's last one, the image; False: it is in use."""
    image = engine.image(name)
    try:
        engine.call("DELETE", f"/images/{name}")
        if image is not None and len(image.get("RepoTags") or []) == 1:
            # What was pulled by digest is still known by that.
            for digest in image.get("RepoDigests") or []:
                engine.call("DELETE", f"/images/{digest}")
    except EngineError as error:
        if error.status == 409:
            return False
        if error.status != 404:
            raise
    return True
