"""The images of the stack: what they are made of is told, and they are as small as promised."""

from __future__ import annotations

import json
from typing import Any

import pytest
from world import Stack

NODE_BYTES = 1_100_000_000
NAMES = ["busybox", "node", "python", "registry"]


@pytest.fixture
def manifest(stack: Stack) -> dict[str, Any]:
    """What the images step wrote down of each image."""
    record: dict[str, Any] = json.loads((stack.state / "images.json").read_text())
    images: dict[str, Any] = record["images"]
    return images


@pytest.mark.parametrize("name", NAMES)
def test_the_manifest_tells_what_the_engine_holds(
    stack: Stack, manifest: dict[str, Any], name: str
) -> None:
    told = manifest[name]
    held = stack.engine.images.get(told["reference"])
    assert (told["id"], told["size"]) == (held.id, held.attrs["Size"])
    assert told["labels"] == held.labels


@pytest.mark.parametrize("name", NAMES)
def test_an_image_that_was_made_tells_from_what(manifest: dict[str, Any], name: str) -> None:
    image = manifest[name]
    if image["origin"] == "build":
        labels = image["labels"]
        assert labels["com.imooc.images.name"] == name
        versions = dict(pair.split("=", 1) for pair in labels["com.imooc.images.versions"].split())
        assert versions
        assert all(versions.values())


def test_the_cluster_runs_on_the_node_image_of_the_manifest(
    stack: Stack, manifest: dict[str, Any]
) -> None:
    assert {node.attrs["Image"] for node in stack.nodes} == {manifest["node"]["id"]}


def test_the_node_image_is_small(manifest: dict[str, Any]) -> None:
    assert manifest["node"]["size"] <= NODE_BYTES
