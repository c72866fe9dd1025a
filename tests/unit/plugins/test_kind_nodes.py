"""The kubeconfig is current when it is as wanted and private; the network goes when it is ours."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.changes import Change, Field
from ansible.module_utils.kind_nodes import (
    ROLE_LABEL,
    kubeconfig_change,
    kubeconfig_is_current,
    network_would_be_ours,
    remove_network_if_unused,
    write_private,
)
from ansible.module_utils.kind_record import Record

WANTED: dict[str, Any] = {
    "clusters": [{"name": "kind-c", "cluster": {"server": "https://127.0.0.1:1", "ca": "x"}}],
    "users": [{"name": "kind-c", "user": {"key": "y"}}],
    "contexts": [{"name": "kind-c", "context": {"cluster": "kind-c", "user": "kind-c"}}],
    "current-context": "kind-c",
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "state" / "kubeconfig"
    write_private(file, yaml.safe_dump(WANTED))
    return file


def test_a_written_file_is_private_and_current(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600
    assert kubeconfig_is_current(path, WANTED)
    assert [entry.name for entry in path.parent.iterdir()] == ["kubeconfig"]


def test_a_namespace_and_another_cluster_of_the_person_may_stay(path: Path) -> None:
    more = copy.deepcopy(WANTED)
    more["contexts"][0]["context"]["namespace"] = "mine"
    more["clusters"].append({"name": "other", "cluster": {}})
    write_private(path, yaml.safe_dump(more))
    assert kubeconfig_is_current(path, WANTED)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "clusters: []\nusers: []\ncontexts: []\n", "clusters: null\n"],
)
def test_what_is_no_kubeconfig_is_stale(path: Path, text: str) -> None:
    write_private(path, text)
    assert not kubeconfig_is_current(path, WANTED)


def test_what_is_wrong_with_a_kubeconfig_is_named_without_its_secrets(path: Path) -> None:
    path.chmod(0o644)
    other = copy.deepcopy(WANTED)
    other["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:2"
    assert kubeconfig_change(path, other) == Change(
        "file kubeconfig",
        "update",
        fields=(
            Field("mode", "0644", "0600"),
            Field("server", "https://127.0.0.1:1", "https://127.0.0.1:2"),
        ),
    )
    write_private(path, "{")
    (broken,) = kubeconfig_change(path, WANTED).fields
    assert (broken.live, broken.wanted) == (None, "https://127.0.0.1:1")
    stale = copy.deepcopy(WANTED)
    stale["users"][0]["user"]["key"] = "z"
    write_private(path, yaml.safe_dump(WANTED))
    assert kubeconfig_change(path, stale) == Change(
        "file kubeconfig", "update", "it does not lead to the cluster"
    )
    path.unlink()
    assert kubeconfig_change(path, WANTED).action == "create"


def test_another_port_and_open_permissions_are_stale(path: Path) -> None:
    other = copy.deepcopy(WANTED)
    other["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:2"
    assert not kubeconfig_is_current(path, other)
    path.chmod(0o644)
    assert not kubeconfig_is_current(path, WANTED)


def test_a_missing_file_is_stale(tmp_path: Path) -> None:
    assert not kubeconfig_is_current(tmp_path / "none", WANTED)


class FakeEngine:
    """An engine with one network, some members of it, and the records on kind's nodes."""

    def __init__(self, members: dict[str, Record | None], *, exists: bool = True) -> None:
        self._members = members
        self._exists = exists
        self.deleted: list[str] = []

    def get(self, path: str) -> dict[str, str] | None:
        return {"Name": path} if self._exists else None

    def containers(self, **_: str) -> list[dict[str, Any]]:
        return [
            {"Id": name, "Labels": {ROLE_LABEL: "control-plane"} if name.endswith("node") else {}}
            for name in self._members
        ]

    def read_files(self, container: str, _path: str) -> dict[str, bytes]:
        record = self._members[container]
        return {"record": record.to_json().encode()} if record else {}

    def call(self, method: str, path: str) -> None:
        self.deleted.append(f"{method} {path}")


def record(*, network_is_ours: bool) -> Record:
    return Record("dev", {}, "sha256:one", "v1.37.2", network_is_ours)


@pytest.mark.parametrize(
    ("engine", "ours"),
    [
        pytest.param(FakeEngine({}, exists=False), True, id="not there yet"),
        pytest.param(FakeEngine({}), False, id="there before us"),
        pytest.param(FakeEngine({"their-node": None}), False, id="somebody's cluster uses it"),
        pytest.param(
            FakeEngine({"registry": None, "our-node": record(network_is_ours=True)}),
            True,
            id="another of ours made it",
        ),
        pytest.param(
            FakeEngine({"our-node": record(network_is_ours=False)}), False, id="none of ours did"
        ),
    ],
)
def test_the_network_is_ours_when_one_of_ours_made_it(engine: FakeEngine, ours: bool) -> None:
    assert network_would_be_ours(engine) is ours


def test_the_network_goes_with_its_last_member() -> None:
    used, free, gone = FakeEngine({"registry": None}), FakeEngine({}), FakeEngine({}, exists=False)
    assert [remove_network_if_unused(engine) for engine in (used, free, gone)] == [
        False,
        True,
        False,
    ]
    assert (used.deleted, free.deleted, gone.deleted) == ([], ["DELETE /networks/kind"], [])
