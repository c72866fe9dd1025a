"""The CustomResourceDefinition of ImoocPod, generated from its types.

Invariant: descriptions, bounds and defaults stand in `api.py` alone; only what types cannot say
(printer columns, subresources, rules in CEL) stands here.
"""

from typing import Any

import msgspec

from .api import GROUP, KIND, MAX_NAME, PLURAL, VERSION, ImoocPodSpec, ImoocPodStatus

Schema = dict[str, Any]

_QUANTITY = {
    "x-kubernetes-int-or-string": True,
    "pattern": r"^[0-9]+(\.[0-9]+)?(m|k|[MGTPE]|[KMGTPE]i|e[0-9]+)?$",
}

_NAME_RULE = {
    "rule": f"size(self.metadata.name) <= {MAX_NAME}",
    "message": f"the name must have at most {MAX_NAME} characters: the pods' names extend it",
}

_COLUMNS = [
    ("Desired", "integer", ".spec.replicas", "Pods wanted."),
    ("Current", "integer", ".status.replicas", "Pods pending or running."),
    ("Ready", "integer", ".status.readyReplicas", "Pods ready."),
    ("Age", "date", ".metadata.creationTimestamp", "Time since creation."),
]

_REASON = '.status.conditions[?(@.type=="Degraded")].reason'
_WIDE_COLUMNS = [
    ("Reason", "string", _REASON, "What stands in the way of the pods, or AsExpected."),
    ("Selector", "string", ".status.selector", "Label selector of the pods."),
]
"""Shown by `kubectl get -o wide` alone."""


def crd() -> Schema:
    """Return the CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["imp"],
                "categories": ["all"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": _root()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": text}
                        | ({"priority": priority} if priority else {})
                        for priority, columns in enumerate((_COLUMNS, _WIDE_COLUMNS))
                        for name, kind, path, text in columns
                    ],
                }
            ],
        },
    }


def _root() -> Schema:
    (spec, status), components = msgspec.json.schema_components((ImoocPodSpec, ImoocPodStatus))
    return {
        "description": "A number of busybox pods, kept alive by the imoocpod-operator.",
        "type": "object",
        "required": ["spec"],
        "x-kubernetes-validations": [_NAME_RULE],
        "properties": {
            "apiVersion": {
                "description": f"Version of this representation: {GROUP}/{VERSION}.",
                "type": "string",
            },
            "kind": {"description": f"The REST resource: {KIND}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": _structural(spec, components),
            # One owner, who writes it as a whole. Tracked field by field, three conditions cost the
            # API server as much as all else about a write, and the object a third of its size.
            "status": _undefaulted(_structural(status, components))
            | {"x-kubernetes-map-type": "atomic"},
        },
    }


def _structural(schema: Schema, components: dict[str, Any]) -> Schema:
    """Return `schema` in the structural form that the API server asks for.

    JSON Schema as msgspec makes it has references, titles and alternatives; a structural schema has
    none of them, and says "a number or a string" in its own way.
    """
    if "$ref" in schema:
        target = components[schema["$ref"].rpartition("/")[2]]
        return _structural(
            {**target, **{k: v for k, v in schema.items() if k != "$ref"}}, components
        )
    if {"integer", "string"} == {option.get("type") for option in schema.get("anyOf", ())}:
        return dict(_QUANTITY)
    if "anyOf" in schema:
        raise ValueError(f"a structural schema cannot choose between types: {schema}")
    result = {key: value for key, value in schema.items() if key != "title"}
    if "enum" in result:
        result = {"type": "string", **result}
    if "properties" in result:
        result["properties"] = {
            name: _structural(field, components) for name, field in result["properties"].items()
        }
        if not result["required"]:
            del result["required"]
    for nested in ("items", "additionalProperties"):
        if isinstance(result.get(nested), dict):
            result[nested] = _structural(result[nested], components)
    return result


def _undefaulted(schema: Schema) -> Schema:
    """Return `schema` without defaults: what the operator has not written is unknown, not zero."""
    result = {key: value for key, value in schema.items() if key != "default"}
    if "properties" in result:
        result["properties"] = {k: _undefaulted(v) for k, v in result["properties"].items()}
    if "items" in result:
        result["items"] = _undefaulted(result["items"])
    return result
