"""The recipe of the registry image: one static program and its configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ansible.module_utils.images_archive import File, Image, layer_of_files, write_archive
from ansible.module_utils.images_node import PATH

CONFIG = "/etc/distribution/config.yml"


def registry_archive(
    reference: str, binaries: Path, config: Path, labels: Mapping[str, str], work: Path
) -> Path:
    """Write the archive of the registry image, laid out as the published one."""
    layer = layer_of_files(
        work / "registry.tar",
        [
            File("bin/registry", source=binaries / "registry"),
            File(CONFIG.lstrip("/"), source=config, mode=0o644),
        ],
    )
    image = Image(
        [reference],
        [layer],
        entrypoint=["/bin/registry", "serve"],
        command=[CONFIG],
        # No one listens for traces here; without this it complains for ever.
        env=[PATH, "OTEL_TRACES_EXPORTER=none"],
        labels=labels,
        volumes=["/var/lib/registry"],
        ports=["5000/tcp"],
    )
    archive = work / "archive.tar"
    write_archive(archive, [image])
    return archive
