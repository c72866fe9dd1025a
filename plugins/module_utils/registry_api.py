"""Ask a container registry over its HTTP API (OCI distribution) what it holds.

Invariant: read-only; a registry that does not answer is RegistryUnreachable, an image that it does
not hold is None.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

_MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
_PAGE = 1000
_POLL_SECONDS = 0.05


class RegistryUnreachable(Exception):
    """Nothing answers as a registry at the address."""


@dataclass(frozen=True)
class Manifest:
    """One image in the registry: its digest, and the bytes of its compressed parts."""

    digest: str
    size: int


class RegistryClient:
    """Questions to the registry at ``host`` (``name[:port]``) over one connection.

    A registry on this machine is asked by plain HTTP, as container engines do; others by HTTPS.
    """

    def __init__(self, host: str, timeout: float = 10.0) -> None:
        self.host = host
        plain = is_loopback(host.partition(":")[0])
        connection = http.client.HTTPConnection if plain else http.client.HTTPSConnection
        self._http = connection(host, timeout=timeout)

    def __enter__(self) -> RegistryClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()

    def ping(self) -> None:
        """Return where a registry answers; raise RegistryUnreachable where none does."""
        status, _, _ = self._ask("GET", "/v2/")
        if status != http.client.OK:
            raise RegistryUnreachable(f"{self.host} does not answer as a registry: HTTP {status}")

    def wait(self, seconds: float) -> None:
        """Return as soon as the registry answers, with its last fault after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.ping()
                return
            except RegistryUnreachable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_SECONDS)

    def repositories(self) -> list[str]:
        """Return the names that ``/v2/_catalog`` shows, all pages of it."""
        return self._pages("/v2/_catalog", "repositories")

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, sorted."""
        return sorted(self._pages(f"/v2/{repository}/tags/list", "tags"))

    def digest(self, repository: str, reference: str) -> str | None:
        """Return the digest of the manifest behind a tag or digest, None where there is none."""
        status, headers, _ = self._ask("HEAD", f"/v2/{repository}/manifests/{reference}")
        return headers["Docker-Content-Digest"] if status == http.client.OK else None

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """Return digest and compressed size of one image, None where there is none."""
        status, headers, body = self._ask("GET", f"/v2/{repository}/manifests/{reference}")
        if status != http.client.OK:
            return None
        parts: dict[str, Any] = json.loads(body)
        size = sum(
            part["size"] for part in [*parts.get("layers", []), parts.get("config", {"size": 0})]
        )
        return Manifest(headers["Docker-Content-Digest"], size)

    def catalog(self) -> dict[str, dict[str, str]]:
        """Return every repository with its tags, each with its digest."""
        return {
            repository: {
                tag: digest
                for tag in self.tags(repository)
                if (digest := self.digest(repository, tag)) is not None
            }
            for repository in self.repositories()
        }

    def _pages(self, path: str, key: str) -> list[str]:
        items: list[str] = []
        while True:
            last = f"&last={items[-1]}" if items else ""
            status, headers, body = self._ask("GET", f"{path}?n={_PAGE}{last}")
            if status == http.client.NOT_FOUND:  # a repository whose last tag was deleted
                return items
            if status != http.client.OK:
                raise RegistryUnreachable(f"{self.host}{path}: HTTP {status}")
            page = json.loads(body).get(key) or []
            items += page
            if not page or "Link" not in headers:
                return items

    def _ask(self, method: str, path: str) -> tuple[int, http.client.HTTPMessage, bytes]:
        try:
            self._http.request(method, path, headers={"Accept": _MANIFESTS})
            response = self._http.getresponse()
            return response.status, response.headers, response.read()
        except (OSError, http.client.HTTPException) as error:
            self._http.close()
            raise RegistryUnreachable(
                f"no registry answers at {self.host}: {error or type(error).__name__}"
            ) from error


def is_loopback(name: str) -> bool:
    """Return whether a host's name or address means this machine."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
