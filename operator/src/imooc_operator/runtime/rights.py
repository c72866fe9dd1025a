"""The rights code says it needs, beside the code that uses them; the RBAC manifests follow."""

from dataclasses import dataclass

from imooc_operator.client.api import Resource


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on one resource type, or on one subresource of it, or on objects of one name."""

    resource: Resource
    verbs: tuple[str, ...]
    subresource: str = ""
    name: str = ""

    def rule(self) -> dict[str, list[str]]:
        """Return the PolicyRule."""
        parts = (self.resource.plural, self.subresource)
        rule = {
            "apiGroups": [self.resource.group],
            "resources": ["/".join(part for part in parts if part)],
            "verbs": sorted(self.verbs),
        }
        return rule | ({"resourceNames": [self.name]} if self.name else {})
