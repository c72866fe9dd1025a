"""Whether missing images are pulled or made, and by which digest they are pulled.

The engine is asked, because it is the engine that would pull: its proxies,
certificates and loopback rules count, not this process's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from ansible.module_utils.images_recipe import PREFIX

BUDGET = 4.0  # seconds a registry has to answer, of the 5 that `auto` may take
HOME = "docker.io"


class Unanswered(Exception):
    """A registry did not name an image's digest; the message says why."""


@dataclass(frozen=True, slots=True)
class Published:
    """An image as it is published: repository, tag, and the digest where it is pinned."""

    repository: str
    tag: str
    digest: str

    @classmethod
    def parse(cls, text: str, mirror: str) -> Published:
        """Read `kindest/node:v1[@sha256:…]`, as served by its home or by a mirror."""
        name, _, digest = text.partition("@")
        repository, colon, tag = name.rpartition(":")
        if not colon or "/" in tag:
            repository, tag = name, "latest"
        return cls(f"{mirror.rstrip('/') or HOME}/{repository}", tag, digest)

    @property
    def reference(self) -> str:
        """How the image is asked for: by digest where one is pinned."""
        version = f"@{self.digest}" if self.digest else f":{self.tag}"
        return self.repository + version

    @property
    def local_tag(self) -> str:
        """The name that a pulled image gets here, so that it is found again offline."""
        text = f"{self.repository}-{self.tag}-{self.digest.removeprefix('sha256:')[:12]}"
        plain = "".join(c if c.isalnum() or c in ".-" else "-" for c in text)
        return f"{PREFIX}pulled:{plain.strip('-')[:128]}"


class Asker(Protocol):
    """What of the engine is used here."""

    def call(self, method: str, path: str, *, timeout: float | None = None) -> bytes:
        """Return the body of the engine's answer."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Where missing images come from, and the sentence that says why."""

    source: str
    reason: str


def decide(
    wanted: str,
    missing: Sequence[str],
    published: Mapping[str, Published],
    ask: Callable[[str], str],
) -> Decision:
    """Return `pull` or `build` for the missing images.

    Args:
        wanted: the user's choice: auto, pull or build.
        ask: returns the digest of a reference, or raises Unanswered.
    """
    if wanted != "auto":
        return Decision(wanted, f"images_source is {wanted}")
    reference = published[missing[0]].reference
    host = reference.partition("/")[0]
    try:
        ask(reference)
    except Unanswered as why:
        return Decision("build", f"{host} does not serve {reference}: {why}")
    return Decision("pull", f"{host} serves {reference}")


def registry_digest(engine: Asker, unreachable: tuple[type[Exception], ...], reference: str) -> str:
    """Return the digest of a reference, as the engine learns it from the registry."""
    try:
        answer = engine.call(
            "GET", f"/distribution/{quote(reference, safe='/:@')}/json", timeout=BUDGET
        )
    except unreachable as error:
        if isinstance(error.__cause__, TimeoutError):
            raise Unanswered(f"no answer within {BUDGET:.0f} s") from error
        raise Unanswered(str(error) or type(error).__name__) from error
    return digest_of(answer)


def digest_of(answer: bytes) -> str:
    """Return the digest in the engine's description of a published image."""
    digest = json.loads(answer).get("Descriptor", {}).get("digest", "")
    if not str(digest).startswith("sha256:"):
        raise Unanswered("the registry's answer holds no digest")
    return str(digest)
