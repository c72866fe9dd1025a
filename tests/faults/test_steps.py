"""A step that is run alone where its predecessor is missing fails with the tag to run first."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from environments import PROJECT, Environment

# An engine that answers nobody, and images that no machine has.
NO_ENGINE = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
NO_IMAGES = {
    "images_source": "pull",
    "images_published": {
        name: f"nobody/has-this-{name}:0" for name in ("node", "registry", "python", "busybox")
    },
}
WITHOUT_PREDECESSOR = ["preflight", "engine"]
WITHOUT_ENGINE = ["images", "cluster", "registry"]
# With engine and images, but nothing of the environment: what each step asks for first.
WITHOUT_CLUSTER = {
    "registry": "cluster",
    "build": "registry",
    "rbac": "cluster",
    "crd": "cluster",
    "operator": "registry",
    "cr": "cluster",
    "etcd": "cluster",
    "verify": "registry",
}
HINT = re.compile(r"ansible-playbook\s+site\.yml\s+--tags\s+(\w+)")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment of which nothing exists."""
    with Environment.temporary("alone", tmp_path_factory.mktemp("inventory")) as environment:
        yield environment


def first_hint(output: str) -> str:
    """Return the first tag that the output says to run."""
    found = HINT.search(output)
    assert found, output
    return found[1]


@pytest.mark.parametrize("step", WITHOUT_ENGINE)
def test_without_an_engine(environment: Environment, step: str) -> None:
    run = environment.run("--tags", step, environ=NO_ENGINE)
    assert run.code != 0, run.output
    assert first_hint(run.output) == "engine"


def test_without_images(environment: Environment) -> None:
    run = environment.run("--tags", "cluster", variables=NO_IMAGES)
    assert run.code != 0, run.output
    assert first_hint(run.output) == "images"


@pytest.mark.parametrize(("step", "before"), WITHOUT_CLUSTER.items())
def test_without_a_cluster(environment: Environment, step: str, before: str) -> None:
    run = environment.run("--tags", step)
    assert run.code != 0, run.output
    assert run.changed == 0
    assert first_hint(run.output) == before


@pytest.mark.parametrize("step", WITHOUT_PREDECESSOR)
def test_what_stands_on_the_machine_alone(environment: Environment, step: str) -> None:
    run = environment.run("--tags", step)
    assert run.code == 0, run.output


def test_every_step_is_among_these() -> None:
    site = (PROJECT / "site.yml").read_text()
    tags = re.findall(r"^  tags: \[(\w+)", site, re.M)
    assert {*tags} - {"summary"} == {*WITHOUT_ENGINE, *WITHOUT_CLUSTER, *WITHOUT_PREDECESSOR}
