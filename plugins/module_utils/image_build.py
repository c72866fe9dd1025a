"""Build an image with BuildKit, and bring an image that the engine holds into a registry.

Invariant: a digest comes from the registry, after the push, never from the engine's bookkeeping.
"""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.engine_client import Engine, EngineError
from ansible.module_utils.progress import report
from ansible.module_utils.registry_api import Manifest, RegistryClient

_NO_CREDENTIALS = base64.urlsafe_b64encode(b"{}").decode()
_TIMEOUT_SECONDS = 600
_LAST_LINES = 40


class BuildFailed(Exception):
    """The image was not built or not pushed; the message says where it stopped."""


def split(reference: str) -> tuple[str, str, str]:
    """Return registry host, repository and tag of a reference that names all three."""
    host, _, rest = reference.partition("/")
    repository, _, tag = rest.rpartition(":")
    return host, repository, tag


def facts(reference: str, manifest: Manifest) -> dict[str, str | int]:
    """Return digest, size and the reference by digest of an image in a registry."""
    host, repository, _ = split(reference)
    return {
        "digest": manifest.digest,
        "size": manifest.size,
        "ref": f"{host}/{repository}@{manifest.digest}",
    }


def build(
    engine: Engine,
    context: Path,
    reference: str,
    arguments: Mapping[str, str],
    labels: Mapping[str, str],
    *,
    no_cache: bool,
) -> None:
    """Build ``context`` as ``reference`` into the engine, with the engine's own builder.

    Another builder that a person chose would not see the images that the engine holds.
    """
    argv = ["docker", "buildx", "build", "--builder", "default", "--progress", "plain"]
    # Attestations name the time of the build, so no two builds would be equal.
    argv += ["--provenance=false", "--sbom=false", "--network", "none", "--tag", reference]
    for key, value in sorted(arguments.items()):
        argv += ["--build-arg", f"{key}={value}"]
    for key, value in sorted(labels.items()):
        argv += ["--label", f"{key}={value}"]
    if no_cache:
        argv.append("--no-cache")
    report(f"building {reference}")
    try:
        result = subprocess.run(
            [*argv, str(context)],
            env=engine.command_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise BuildFailed(
            "there is no docker command; run: ansible-playbook site.yml --tags engine"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise BuildFailed(f"docker buildx build: not finished after {error.timeout} s") from error
    if result.returncode != 0:
        last = "\n".join(result.stdout.splitlines()[-_LAST_LINES:])
        raise BuildFailed(f"docker buildx build: exit code {result.returncode}\n{last}")


def push(engine: Engine, reference: str) -> Manifest:
    """Push the engine's image ``reference``; return what the registry has of it then."""
    host, repository, tag = split(reference)
    report(f"pushing {reference}")
    try:
        for _ in engine.stream(
            f"/images/{host}/{repository}/push",
            query={"tag": tag},
            headers={"X-Registry-Auth": _NO_CREDENTIALS},
        ):
            pass
    except EngineError as error:
        raise BuildFailed(f"pushing {reference}: {error}") from error
    with RegistryClient(host) as registry:
        manifest: Manifest | None = registry.manifest(repository, tag)
    if manifest is None:
        raise BuildFailed(f"pushing {reference}: the registry does not have it afterwards")
    return manifest


def copy(engine: Engine, source: str, reference: str) -> Manifest:
    """Push the engine's image ``source`` as ``reference``, and leave no second name behind."""
    host, repository, tag = split(reference)
    try:
        engine.call(
            "POST", f"/images/{source}/tag", query={"repo": f"{host}/{repository}", "tag": tag}
        )
    except EngineError as error:
        raise BuildFailed(f"{source}: {error}") from error
    try:
        return push(engine, reference)
    finally:
        engine.untag(reference)
