"""What is here of the images and tools, and what would have to be done.

Only reads. Invariant: an image counts as here when the engine knows it by its
recipe's key, or by the published name it was pulled by; never because a file
says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.changes import Change
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.images_files import read_json
from ansible.module_utils.images_recipe import NAMES, PREFIX, Recipe, key, recipes
from ansible.module_utils.images_source import (
    Decision,
    Published,
    decide,
    registry_digest,
)

RECORD = "images.json"
STAMP = ".images_tools.json"

TOOLS = ("etcdctl", "kind", "kubectl")

ARGUMENTS: dict[str, Any] = {
    "files": {"type": "path", "required": True},
    "source": {"type": "str", "choices": ["auto", "pull", "build"], "default": "auto"},
    "mirror": {"type": "str", "default": ""},
    "published": {"type": "dict", "required": True},
    "cache_dir": {"type": "path", "required": True},
    "bin_dir": {"type": "path", "required": True},
    "state_dir": {"type": "path", "required": True},
    "debian_mirror": {"type": "str", "default": ""},
}


@dataclass(frozen=True, slots=True)
class Settings:
    """The wishes of the user, as both modules take them."""

    files: Path
    source: str
    mirror: str
    published: Mapping[str, Published]
    cache: Path
    bin: Path
    state: Path
    debian_mirror: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Settings:
        """Read a module's parameters."""
        unknown = set(params["published"]) ^ set(NAMES)
        if unknown:
            raise ValueError(
                f"images_published must name exactly {', '.join(NAMES)}; "
                f"too many or missing: {', '.join(sorted(unknown))}"
            )
        return cls(
            files=Path(params["files"]),
            source=params["source"],
            mirror=params["mirror"],
            published={
                name: Published.parse(text, params["mirror"])
                for name, text in params["published"].items()
            },
            cache=Path(params["cache_dir"]),
            bin=Path(params["bin_dir"]),
            state=Path(params["state_dir"]),
            debian_mirror=params["debian_mirror"],
        )


@dataclass(frozen=True, slots=True)
class Found:
    """An image the engine has: how to refer to it and what is known of it."""

    reference: str
    id: str
    size: int
    origin: str  # build or pull
    labels: Mapping[str, str]


@dataclass(slots=True)
class State:
    """Everything that was found, and what is missing."""

    engine: str = ""  # why the engine cannot be asked, or ''
    images: dict[str, Found] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    missing_tools: list[str] = field(default_factory=list)
    stale_record: bool = False
    decision: Decision | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.missing or self.missing_tools or self.stale_record)

    @property
    def makes(self) -> bool:
        """Whether missing images are made here rather than pulled."""
        return self.decision is not None and self.decision.source == "build"

    def refs(self, settings: Settings) -> dict[str, str]:
        """Return the reference of every image, of missing ones as they would be called.

        Where images are to be pulled, one that was made here does not stand in for a missing one.
        """
        pulled = settings.source == "pull"
        return {
            name: self.images[name].reference
            if name in self.images
            else (settings.published[name].reference if pulled else recipe.reference)
            for name, recipe in self.recipes.items()
        }

    def plan(self) -> list[Change]:
        """Return what is to be done."""
        verb = {"pull": "to be pulled", "build": "to be made from packages"}
        how = verb[self.decision.source] if self.decision else "to be pulled, or made from packages"
        found = [Change(f"image {name}", "create", how) for name in self.missing]
        found += [
            Change(f"tool {name}", "create", "not here as today's sources make it")
            for name in self.missing_tools
        ]
        if self.stale_record and not found:
            found.append(Change(f"file {RECORD}", "update", "it does not say what is here"))
        return found


def look(settings: Settings, tools: Sequence[str]) -> State:
    """Return what is here and what is missing, without asking where it would come from."""
    state = State(recipes=recipes(settings.files))
    try:
        engine = Engine(timeout=10)
        for name, recipe in state.recipes.items():
            found = find_image(engine, recipe, settings.published[name], settings.source)
            if found is None:
                state.missing.append(name)
            else:
                state.images[name] = found
    except EngineUnreachable as error:
        state.engine = str(error)
        state.missing = list(NAMES)
    state.missing_tools = [
        name for name in tools if not tool_present(settings, name, state.images.get("node"))
    ]
    state.stale_record = record(settings, state, tools) != read_json(settings.state / RECORD)
    return state


def observe(settings: Settings, tools: Sequence[str]) -> State:
    """Return what is here and, when something is missing, where it would come from."""
    state = look(settings, tools)
    if state.missing and not state.engine:
        state.decision = decide(
            settings.source,
            state.missing,
            settings.published,
            lambda reference: registry_digest(
                Engine(), (EngineError, EngineUnreachable), reference
            ),
        )
    elif state.missing and settings.source != "auto":
        state.decision = Decision(settings.source, f"images_source is {settings.source}")
    return state


def find_image(engine: Engine, recipe: Recipe, published: Published, source: str) -> Found | None:
    """Return the image the engine has of a recipe or of its published twin, or None."""
    candidates = {
        "build": [("build", recipe.reference)],
        "pull": [("pull", published.local_tag)],
        "auto": [("build", recipe.reference), ("pull", published.local_tag)],
    }[source]
    for origin, reference in candidates:
        image = engine.image(reference)
        if image is None:
            continue
        if origin == "pull":
            reference = pulled_reference(image, published)
        return Found(
            reference=reference,
            id=image["Id"],
            size=image["Size"],
            origin=origin,
            labels=(image.get("Config") or {}).get("Labels") or {},
        )
    return None


def pulled_reference(image: Mapping[str, Any], published: Published) -> str:
    """Return `repository@digest` of a pulled image, as the engine recorded it."""
    short = published.repository.removeprefix("docker.io/").removeprefix("library/")
    for reference in image.get("RepoDigests") or []:
        repository = reference.partition("@")[0]
        if repository in (published.repository, short):
            return str(reference)
    local_tag: str = published.local_tag
    return local_tag


def tool_key(settings: Settings, name: str, node: Found | None) -> str:
    """Return what a tool is made by: kubectl by the node image, the rest by the Go module."""
    if name != "kubectl":
        programs: str = key("programs", settings.files)
        return programs
    return node.id if node is not None else ""


def tool_present(settings: Settings, name: str, node: Found | None) -> bool:
    """Whether the tool is the one that was put there for today's key, untouched."""
    path = settings.bin / name
    stamp = (read_json(settings.bin / STAMP) or {}).get(name)
    wanted = tool_key(settings, name, node)
    return bool(wanted) and path.is_file() and stamp == stamp_of(path, wanted)


def stamp_of(path: Path, made_by: str) -> dict[str, Any]:
    """Return what identifies a tool's file without reading it."""
    status = path.stat()
    return {"key": made_by, "size": status.st_size, "mtime": int(status.st_mtime)}


def record(settings: Settings, state: State, tools: Sequence[str]) -> dict[str, Any]:
    """Return the manifest of what is here, as it is kept in the state folder."""
    return {
        "images": {
            name: {**asdict(found), "labels": dict(found.labels)}
            for name, found in sorted(state.images.items())
        },
        "tools": {name: str(settings.bin / name) for name in sorted(tools)},
    }


def made_here(engine: Engine) -> list[str]:
    """Return the names of all images that were made or pulled by this role."""
    ours = tuple(f"{PREFIX}{name}:" for name in (*NAMES, "pulled"))
    images = engine.get("/images/json") or []
    return sorted(
        tag for image in images for tag in image.get("RepoTags") or [] if tag.startswith(ours)
    )
