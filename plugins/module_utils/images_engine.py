"""What the recipes have the container engine do, through its own client.

The client finds the engine (context, DOCKER_HOST) and reaches it as the user
does. Invariant: the one container and the one image that a build needs on its
way have names of their own, so what a killed run left is found and removed.
Labels would not do: every cluster node inherits those of its image.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ansible.module_utils.images_process import run


def load(archive: Path) -> None:
    """Load the images of an archive into the engine."""
    run(f"load {archive.name} into the engine", ["docker", "load", "--quiet", "--input", archive])


class Builder:
    """A privileged container, offline, in which a node image is finished.

    There is one per cache folder, because one run at a time works in it.
    """

    def __init__(self, cache: Path) -> None:
        identity = hashlib.sha256(str(cache).encode()).hexdigest()[:12]
        self.container = f"imooc-images-builder-{identity}"
        self.base = f"imooc.local/builder:{identity}"

    def clean(self) -> None:
        """Remove the container and the image it was made of; absent is fine."""
        listed = ["docker", "ps", "--all", "--quiet", "--filter", f"name=^{self.container}$"]
        if run("look for a builder container", listed):
            run(
                "remove the builder container",
                ["docker", "rm", "--force", "--volumes", self.container],
            )
        if run("look for a builder image", ["docker", "image", "ls", "--quiet", self.base]):
            run("remove the builder image", ["docker", "image", "rm", self.base])

    def __enter__(self) -> Builder:
        run(
            "start the builder container",
            [
                *("docker", "run", "--detach", "--privileged", "--network", "none"),
                *("--name", self.container, "--entrypoint", "sleep", self.base, "infinity"),
            ],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.clean()

    def script(self, what: str, text: str, arguments: Sequence[str], archive: Path) -> None:
        """Run a bash script inside, with a file as its standard input."""
        with archive.open("rb") as stream:
            run(
                what,
                [
                    *("docker", "exec", "--interactive", self.container),
                    *("bash", "-c", text, "bash", *arguments),
                ],
                stdin=stream,
            )

    def commit(self, reference: str, labels: Mapping[str, str], changes: Sequence[str]) -> None:
        """Make an image of the container as it is now."""
        change: list[str] = []
        for instruction in changes:
            change += ["--change", instruction]
        for key, value in sorted(labels.items()):
            change += ["--change", f"LABEL {key}={json.dumps(value)}"]
        run("commit the node image", ["docker", "commit", *change, self.container, reference])


def copy_out(image: str, source: str, target: Path) -> None:
    """Copy a file out of an image, following links."""
    container = run(f"open {image}", ["docker", "create", "--entrypoint", source, image]).split()[
        -1
    ]
    try:
        run(
            f"copy {source} out of {image}",
            ["docker", "cp", "--follow-link", f"{container}:{source}", target],
        )
    finally:
        run("remove the container", ["docker", "rm", "--force", "--volumes", container])
