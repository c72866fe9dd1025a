"""Which kinds an API server serves, all of them in two requests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ansible.module_utils.kube_client import KubeClient

# Aggregated discovery, in every Kubernetes from 1.30 on. A group whose server is away is listed
# without its resources, where one request per group would wait for that server.
ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind in one of its versions, under each name that kubectl takes for it."""

    group: str
    version: str
    plural: str
    kind: str
    singular: str
    short_names: tuple[str, ...]
    namespaced: bool
    verbs: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What people call it; all in lower case."""
        return (self.plural, self.singular, self.kind.lower(), *self.short_names)

    @property
    def path(self) -> str:
        """Where all of its objects are listed."""
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/{self.plural}"


def resources(client: KubeClient) -> Iterator[Resource]:
    """Yield what is served, each group's preferred version first. Errors: KubeError."""
    for path in ("/api", "/apis"):
        for group in client.request("GET", path, accept=ACCEPT)[1]["items"]:
            for version in group["versions"]:
                for row in version.get("resources") or []:
                    yield Resource(
                        group=group["metadata"].get("name", ""),
                        version=version["version"],
                        plural=row["resource"],
                        kind=row["responseKind"]["kind"],
                        singular=row["singularResource"],
                        short_names=tuple(row.get("shortNames") or ()),
                        namespaced=row["scope"] == "Namespaced",
                        verbs=tuple(row["verbs"]),
                    )
